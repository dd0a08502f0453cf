//! Every kind of change, in every scope, after everything an agent does to its repository: what Aloft shows is byte for byte
//! what git shows of the same files in a repository that knows nothing of Aloft.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
    process::Command,
};

use aloft_tests::{
    git::{git, git_bytes},
    home::{Home, finish, items},
    poll,
};

const TEN: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";

/// A repository with something of every kind in it.
fn source(home: &Home) -> PathBuf {
    let root = home.repository();
    for (path, content) in [
        ("modify", TEN),
        ("delete", TEN),
        ("rename", "a\nb\nc\nd\ne\nf\ng\n"),
        ("mode.sh", "#!/bin/sh\n"),
        ("to-link", "file\n"),
        ("crlf", "a\r\nb\r\n"),
        ("no-newline", "a\nb"),
        ("empty", ""),
        ("lib.rs", "fn first() {\n    1;\n    2;\n    3;\n    4;\n    5;\n}\n"),
        (".gitattributes", "*.rs diff=rust\n*.lock -diff\n"),
        ("a.lock", "1\n"),
    ] {
        fs::write(root.join(path), content).unwrap();
    }
    fs::write(root.join("binary"), [0_u8, 1, 2, 255]).unwrap();
    fs::write(root.join("latin1"), b"caf\xe9\n").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"n\xe9me")), "x\n").unwrap();
    symlink("modify", root.join("link")).unwrap();
    let gitlink = format!("160000,{},sub", "5".repeat(40));
    git(&root, &["add", "."]);
    git(&root, &["update-index", "--add", "--cacheinfo", &gitlink]);
    git(&root, &["commit", "-q", "-m", "all kinds"]);
    root
}

/// The first turn: every kind of change, none of it committed.
const CHANGES: &str = "$ sed -i s/5/five/ modify && rm delete && mv rename 'moved \"x\"' && chmod +x mode.sh && ln -sf /etc/passwd to-link \
    && printf 'a\\r\\nc\\r\\n' > crlf && printf 'a\\nc' > no-newline && echo x > empty && sed -i s/4/four/ lib.rs && echo 2 > a.lock \
    && printf '\\0\\1\\2\\3' > binary && printf 'caf\\350\\n' > latin1 && echo y > $(printf 'n\\351me') && ln -sfn nowhere link \
    && mkdir -p d/e && echo new > 'd/e/new file' && : > new-empty && printf '\\0\\0' > new-binary && echo ignored > x.log && rmdir sub \
    && echo 'a file' > sub && echo last";

/// What an agent does to its repository, turn by turn; `{up}` is the commit upstream has come to.
const DEEDS: [(&str, &str); 9] = [
    ("commit", "git add -A && git commit -qm work"),
    ("amend", "git commit -q --amend -am amended"),
    ("stage", "git add -A"),
    ("rebase", "git add -A && git commit -qm again && git rebase -q {up}"),
    ("merge", "git commit -qam more && git merge -q --no-ff --no-edit -s ours {up}"),
    ("reset", "git reset -q --soft HEAD~1"),
    ("reset all", "git reset -q --hard HEAD && echo after > a-{n}"),
    ("detach", "git checkout -q --detach && git commit -q --allow-empty -m detached"),
    ("delete .git", "rm -rf .git"),
];

struct Judge {
    root: PathBuf,
    base: String,
}

impl Judge {
    /// The files of a workspace as a tree of a repository of the judge's own.
    fn tree(&self, workspace: &Path) -> String {
        git(&self.root, &["read-tree", &self.base]);
        for entry in fs::read_dir(&self.root).unwrap().flatten() {
            if entry.file_name() == ".git" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                fs::remove_dir_all(entry.path()).unwrap();
            } else {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        let mut copy = Command::new("cp");
        copy.args(["-a", "--no-preserve=ownership"]);
        copy.arg(format!("{}/.", workspace.display())).arg(self.root.join("files"));
        let run = finish(copy);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let files = self.root.join("files");
        let _gone = fs::remove_dir_all(files.join(".git"));
        for entry in fs::read_dir(&files).unwrap().flatten() {
            fs::rename(entry.path(), self.root.join(entry.file_name())).unwrap();
        }
        fs::remove_dir(&files).unwrap();
        git(&self.root, &["add", "--all", "."]);
        git(&self.root, &["write-tree"])
    }

    fn diff(&self, from: &str, to: &str) -> Vec<u8> {
        git_bytes(&self.root, &["diff", from, to])
    }
}

fn assert_same(what: &str, ours: &[u8], gits: &[u8]) {
    if ours != gits {
        let lines = |bytes: &[u8]| -> Vec<String> {
            String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
        };
        let (ours, gits) = (lines(ours), lines(gits));
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|line| !those.contains(line)).take(40).cloned().collect()
        };
        panic!(
            "{what}: aloft alone has {:#?}, git alone has {:#?}",
            only(&ours, &gits),
            only(&gits, &ours)
        );
    }
}

#[test]
fn every_change_in_every_scope_is_what_git_shows() {
    let home = Home::new();
    let root = source(&home);
    let url = format!("file://{}", root.display());
    let words = ["new", "--agent", "shell", "--mode", "auto", "--repo", &url, "--wait", CHANGES];
    let thread = home.json(words);
    let id = thread["id"].as_str().unwrap();
    assert_eq!(thread["lastTurn"]["state"], "completed", "{:#}", home.show(id));
    let base = thread["baseCommit"].as_str().unwrap().to_owned();
    // The base moves on upstream.
    fs::write(root.join("upstream"), "new\n").unwrap();
    git(&root, &["add", "upstream"]);
    git(&root, &["commit", "-q", "-m", "upstream goes on"]);
    let up = git(&root, &["rev-parse", "HEAD"]);
    let judge = Judge { root: home.path("judge"), base: base.clone() };
    git(
        home.path("home").as_path(),
        &["clone", "-q", "-n", root.to_str().unwrap(), judge.root.to_str().unwrap()],
    );
    let workspace = home.workspace(id);

    let mut before = base.clone();
    let mut turn = 0;
    let mut merge_base = base.clone();
    let mut check = |deed: &str, merge_base: &str| {
        turn += 1;
        let tree = judge.tree(&workspace);
        let head = head(&home, &judge, id).unwrap_or_else(|| base.clone());
        let number = turn.to_string();
        let scopes: BTreeMap<&str, (Vec<&str>, &str)> = BTreeMap::from([
            ("base", (vec![], base.as_str())),
            ("turn", (vec!["--turn", number.as_str()], before.as_str())),
            ("uncommitted", (vec!["--uncommitted"], head.as_str())),
            ("merge base", (vec!["--merge-base"], merge_base)),
        ]);
        for (scope, (option, from)) in scopes {
            let run = home.run([&["diff", id], option.as_slice()].concat());
            assert_eq!(run.code, 0, "{deed}, {scope}: {}", run.stderr);
            assert_same(&format!("{deed}, {scope}"), &run.stdout, &judge.diff(from, &tree));
        }
        before = tree;
    };
    check("nothing", &merge_base);
    // The mirror was fetched a moment ago; the sandbox reads its objects when it was fetched again.
    let mirrors = home.path("s/mirrors");
    poll::until("the mirror to have the news", || {
        home.ok(["diff", id, "--merge-base", "--name-only"]);
        fs::read_dir(&mirrors).unwrap().flatten().find(|mirror| {
            let mut look = Command::new("git");
            look.arg("--git-dir").arg(mirror.path()).args(["cat-file", "-e", &up]);
            finish(look).code == 0
        })
    });
    for (number, (deed, command)) in DEEDS.iter().enumerate() {
        let command = command.replace("{up}", &up).replace("{n}", &number.to_string());
        let prompt =
            format!("$ echo {number} >> modify && echo {number} > a-{number} && {command}");
        home.ok(["send", id, "--wait", &prompt]);
        let shown = home.show(id);
        let ran = items(&shown, "commandExecution").last().copied().cloned().unwrap();
        assert_eq!(ran["exitCode"], 0, "{deed}: {ran:#}");
        // And so it stays: where the history was deleted, it is still known to Aloft.
        if *deed == "rebase" {
            merge_base.clone_from(&up);
        }
        check(deed, &merge_base);
    }
    // From what is stored: the sandbox and its files are not needed.
    let whole = home.run(["diff", id]).stdout;
    home.ok(["pause", id]);
    home.wait_state(id, "paused");
    fs::rename(&workspace, home.path("aside")).unwrap();
    assert_same("without a sandbox", &home.run(["diff", id]).stdout, &whole);
    fs::rename(home.path("aside"), &workspace).unwrap();
}

/// The commit that is checked out in a workspace, with its objects given to the judge; none where there is none.
fn head(home: &Home, judge: &Judge, id: &str) -> Option<String> {
    let workspace = home.workspace(id);
    let git_dir = workspace.join(".git");
    if !git_dir.exists() {
        return None;
    }
    let alternates = judge.root.join(".git/objects/info/alternates");
    fs::write(&alternates, format!("{}\n", git_dir.join("objects").display())).unwrap();
    let name = fs::read_to_string(git_dir.join("HEAD")).unwrap().trim().to_owned();
    let commit = match name.strip_prefix("ref: ") {
        None => name,
        Some(reference) => fs::read_to_string(git_dir.join(reference)).ok()?.trim().to_owned(),
    };
    // The objects are the sandbox's, and some of them are deleted later: the judge keeps its own.
    git(&judge.root, &["update-ref", "refs/judge/head", &commit]);
    git(&judge.root, &["repack", "-a", "-d", "--keep-unreachable", "-q"]);
    fs::remove_file(&alternates).unwrap();
    Some(commit)
}
