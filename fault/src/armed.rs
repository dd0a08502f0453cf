//! What a point does where faults are looked for: it is noted, and the armed one is where the process dies or waits.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tokio::runtime::RuntimeFlavor;

use crate::VARIABLE;

/// How long a held process waits at most.
const HOLD: Duration = Duration::from_secs(60);
/// Between looks whether it may go on.
const LOOK: Duration = Duration::from_millis(2);

/// The folder, where there is one.
static FOLDER: OnceLock<Option<Folder>> = OnceLock::new();

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    passed: Mutex<File>,
}

/// One line of `armed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order<'a> {
    holds: bool,
    point: &'a str,
    count: u32,
}

pub(crate) fn pass(point: &str) {
    if let Some(folder) = FOLDER.get_or_init(Folder::find) {
        // A test that took its folder away looks at nothing any more.
        drop(folder.pass(point));
    }
}

impl Folder {
    fn find() -> Option<Self> {
        let path = PathBuf::from(std::env::var_os(VARIABLE)?);
        let passed = OpenOptions::new().append(true).create(true).open(path.join("passed")).ok()?;
        Some(Self { path, passed: Mutex::new(passed) })
    }

    fn pass(&self, point: &str) -> std::io::Result<()> {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.write_all(format!("{point}\n").as_bytes())?;
        let armed = self.path.join("armed");
        let Ok(text) = std::fs::read_to_string(&armed) else { return Ok(()) };
        let orders: Vec<Order> = text.lines().filter_map(Order::read).collect();
        let Some(met) = orders.iter().position(|order| order.point == point) else {
            return Ok(());
        };
        let (order, mut rest) = (orders[met], orders);
        if order.count > 1 {
            rest[met].count -= 1;
            return std::fs::write(&armed, Order::write(&rest));
        }
        rest.remove(met);
        if rest.is_empty() {
            std::fs::remove_file(&armed)?;
        } else {
            std::fs::write(&armed, Order::write(&rest))?;
        }
        if order.holds {
            let held = self.path.join("held");
            std::fs::write(&held, point)?;
            drop(passed);
            aside(|| wait_until_gone(&held));
            return Ok(());
        }
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
        Ok(())
    }
}

impl<'a> Order<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let holds = match words.next()? {
            "kill" => false,
            "hold" => true,
            _ => return None,
        };
        let (point, count) = (words.next()?, words.next()?.parse().ok()?);
        Some(Self { holds, point, count })
    }

    fn write(orders: &[Self]) -> String {
        let line = |order: &Self| {
            let word = if order.holds { "hold" } else { "kill" };
            format!("{word} {} {}\n", order.point, order.count)
        };
        orders.iter().map(line).collect()
    }
}

/// Does what blocks without holding up what else would run on this thread.
fn aside(wait: impl FnOnce()) {
    let runtime = tokio::runtime::Handle::try_current();
    let many = runtime.is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if many { tokio::task::block_in_place(wait) } else { wait() }
}

fn wait_until_gone(held: &Path) {
    let began = Instant::now();
    while held.exists() && began.elapsed() < HOLD {
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_are_written() {
        let order = Order { holds: true, point: "effect.start.before", count: 2 };
        assert_eq!(Order::write(&[order, order]), "hold effect.start.before 2\n".repeat(2));
        assert_eq!(Order::read("hold effect.start.before 2"), Some(order));
        for text in ["", "kill", "kill point", "kill point many", "stop point 1"] {
            assert_eq!(Order::read(text), None);
        }
    }
}
