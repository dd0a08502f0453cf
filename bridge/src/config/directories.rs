//! Where the bridge keeps things, and where the embedded cloud's socket is.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};

use crate::config::{Environment, Error};

/// Longest socket path in bytes: `sun_path` holds 104 to 108, less the final zero and some air.
const LONGEST_SOCKET: usize = 99;

/// Where things live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    /// `config.toml`.
    pub config: PathBuf,
    /// `bridge/`, `cloud/` and `ssh/`.
    pub data: PathBuf,
    /// Sockets.
    pub runtime: PathBuf,
    /// The person's home folder, where there is one.
    pub home: Option<PathBuf>,
}

impl Directories {
    /// Finds them: our own variables, then what the platform says.
    pub fn find(environment: &Environment) -> Result<Self, Error> {
        let project = || ProjectDirs::from("", "", "aloft").ok_or(Error::NoHome);
        let config = match &environment.config_dir {
            Some(path) => path.clone(),
            None => project()?.config_dir().to_owned(),
        };
        let data = match &environment.data_dir {
            Some(path) => path.clone(),
            None => project()?.data_dir().to_owned(),
        };
        let platform =
            || BaseDirs::new().and_then(|base| base.runtime_dir().map(|path| path.join("aloft")));
        let runtime =
            environment.runtime_dir.clone().or_else(platform).unwrap_or_else(|| data.join("run"));
        Ok(Self {
            config: absolute(config),
            data: absolute(data),
            runtime: absolute(runtime),
            home: BaseDirs::new().map(|base| base.home_dir().to_owned()),
        })
    }

    /// Returns the folder of the embedded cloud's data.
    pub fn cloud(&self) -> PathBuf {
        self.data.join("cloud")
    }

    /// Returns the folder of the bridge's own data.
    pub fn bridge(&self) -> PathBuf {
        self.data.join("bridge")
    }

    /// Returns the socket of the embedded cloud. One runtime folder may serve several data folders, so the name tells
    /// them apart; a path that is too long for a socket is replaced by a short one of this user's own.
    pub fn cloud_socket(&self) -> PathBuf {
        let name = format!("cloud-{:08x}.sock", hash(&self.data));
        let path = self.runtime.join(&name);
        if path.as_os_str().len() <= LONGEST_SOCKET {
            return path;
        }
        let user = rustix::process::getuid().as_raw();
        Path::new("/tmp").join(format!("aloft-{user}")).join(name)
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// FNV-1a, folded to 32 bits: the same in every version of this program.
fn hash(path: &Path) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in path.as_os_str().as_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let low = hash & u64::from(u32::MAX);
    u32::try_from((hash >> 32) ^ low).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_paths_stay_short_and_apart() {
        let at = |data: &str, runtime: &str| {
            Directories {
                config: "/c".into(),
                data: data.into(),
                runtime: runtime.into(),
                home: None,
            }
            .cloud_socket()
        };
        assert!(at("/a", "/run/user/1/aloft").starts_with("/run/user/1/aloft"));
        assert_ne!(at("/a", "/run"), at("/b", "/run"));
        let long = format!("/{}", "x".repeat(90));
        let short = at("/a", &long);
        assert!(
            short.as_os_str().len() <= LONGEST_SOCKET && short.starts_with("/tmp"),
            "{}",
            short.display()
        );
        assert_ne!(short, at("/b", &long));
    }

    #[test]
    fn without_a_runtime_folder_sockets_live_under_the_data() {
        let environment = Environment {
            config_dir: Some("/c".into()),
            data_dir: Some("/d".into()),
            runtime_dir: Some("/r".into()),
            ..Environment::default()
        };
        let found = Directories::find(&environment).unwrap();
        assert_eq!((found.cloud(), found.bridge()), ("/d/cloud".into(), "/d/bridge".into()));
        assert_eq!(found.runtime, Path::new("/r"));
    }
}
