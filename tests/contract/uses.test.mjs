// What people use agents for, each once on a real repository with a script of the `shell` agent, up to the merged pull request.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";

import { DevForge } from "./support/dev_forge.mjs";
import { Person, write } from "./support/person.mjs";

const NAME = "ada/tool";
const TESTS = "python3 -m unittest discover -s tests";

/** A small program in Python with one test. */
const FILES = {
  ".gitignore": "__pycache__/\n",
  "flags.py": "FLAG = False\n",
  "parse.py": 'def number(text):\n    return int(text)\n\n\ndef words(text):\n    return text.split(" ")\n',
  "main.py": "from parse import words\n\nprint(len(words(input())))\n",
  "requirements.txt": "parser==1.4.0\n",
  "requirements.lock": "parser==1.4.0 --hash=sha256:11\n",
  "tests/test_parse.py":
    "import unittest\n\nfrom parse import number\n\n\nclass Parse(unittest.TestCase):\n    def test_number(self):\n        self.assertEqual(number('7'), 7)\n",
};

const shell = (...lines) => `Please do it.\n\n\`\`\`sh\n${lines.join("\n")}\n\`\`\`\n`;

const USES = [
  {
    use: "a quick edit",
    prompt: shell("sed -i 's/FLAG = False/FLAG = True/' flags.py"),
    changed: ["M\tflags.py"],
    holds: async (show) => assert.equal(await show("flags.py"), "FLAG = True"),
  },
  {
    use: "a papercut with a regression test",
    prompt:
      shell("sed -i 's/int(text)/int(text.replace(\",\", \"\"))/' parse.py") +
      write(
        "tests/test_thousands.py",
        "import unittest\n\nfrom parse import number\n\n\nclass Thousands(unittest.TestCase):\n    def test_thousands(self):\n        self.assertEqual(number('1,000'), 1000)",
        TESTS,
      ),
    changed: ["M\tparse.py", "A\ttests/test_thousands.py"],
    says: [TESTS],
  },
  {
    use: "a refactoring across files",
    prompt: shell(
      TESTS,
      "sed -n '/^def words/,$p' parse.py > text.py",
      "sed -i '/^def words/,$d' parse.py",
      "sed -i 's/from parse import words/from text import words/' main.py",
      `echo 'a b c' | python3 main.py | grep -qx 3 && ${TESTS}`,
    ),
    changed: ["M\tmain.py", "M\tparse.py", "A\ttext.py"],
    holds: async (show) => assert.match(await show("text.py"), /^def words/),
  },
  {
    use: "an upgrade of a dependency",
    prompt: shell("sed -i 's/1.4.0/2.0.1/' requirements.txt requirements.lock", "sed -i 's/sha256:11/sha256:22/' requirements.lock", TESTS),
    changed: ["M\trequirements.lock", "M\trequirements.txt"],
    holds: async (show) => assert.equal(await show("requirements.lock"), "parser==2.0.1 --hash=sha256:22"),
  },
  {
    use: "more tests",
    prompt: write(
      "tests/test_negative.py",
      "import unittest\n\nfrom parse import number\n\n\nclass Negative(unittest.TestCase):\n    def test_negative(self):\n        self.assertEqual(number('-3'), -3)",
      TESTS,
    ),
    changed: ["A\ttests/test_negative.py"],
    says: [TESTS],
  },
  {
    use: "documentation",
    prompt: write("docs/usage.md", "# Usage\n\n`number` takes thousands with commas."),
    changed: ["A\tdocs/usage.md"],
    holds: async (show) => assert.match(await show("docs/usage.md"), /thousands with commas/),
  },
];

test("what people use agents for", async (t) => {
  const person = await Person.create(t);
  const forge = await new DevForge(person.home.path("forge")).listen(t);
  const source = person.home.path("source");
  for (const [name, text] of Object.entries(FILES)) {
    await mkdir(path.dirname(path.join(source, name)), { recursive: true });
    await writeFile(path.join(source, name), text);
  }
  await person.home.git(source, "init", "-q");
  await person.home.git(source, "add", ".");
  await person.home.git(source, "commit", "-q", "-m", "begin");
  await person.home.git(source, "branch", "release/2");
  await forge.add(person.home, NAME, source);
  await person.connect("github", forge.url, await forge.token("ada", ["repo"]));

  for (const { use, prompt, changed, says = [], holds } of USES) {
    await t.test(use, async () => {
      const thread = await person.thread(NAME, prompt, "--title", use);
      assert.equal(thread.lastTurn.state, "completed");
      const { pullRequest } = await person.does(["pr", thread.id]);
      const names = await forge.git(NAME, "diff", "--name-status", "--no-renames", `main...${thread.branch}`);
      assert.deepEqual(names.split("\n"), changed);
      const pull = await forge.pull(NAME, pullRequest.number);
      assert.equal(pull.title, use);
      for (const command of says) assert.ok(pull.body.includes(command), pull.body);
      assert.doesNotMatch(pull.body, /exit code [1-9]/);
      await forge.merge(NAME, pullRequest.number);
      await holds?.((file) => forge.git(NAME, "show", `main:${file}`));
    });
  }

  await t.test("a branch from recent commits", async () => {
    const words = ["--ref", "release/2", "--branch", "fix/two"];
    const thread = await person.thread(NAME, write("two.md", "Two."), ...words);
    assert.equal(thread.branch, "fix/two");
    assert.equal(thread.baseCommit, await forge.tip(NAME, "release/2"));
    const { pullRequest } = await person.does(["pr", thread.id]);
    assert.equal((await forge.pull(NAME, pullRequest.number)).base, "release/2");
  });

  await t.test("a question, with no file changed and no branch pushed", async () => {
    const thread = await person.thread(NAME, shell("grep -c def parse.py"));
    await person.refused("NOTHING_TO_PROPOSE", ["pr", thread.id]);
    assert.equal(await forge.tip(NAME, thread.branch), undefined);
  });

  assert.deepEqual(forge.faults, []);
});
