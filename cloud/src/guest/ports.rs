//! Which TCP ports listen inside, and whose they are.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use aloft_proto::guest::Port;

use crate::guest::proc;

/// State of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// A listening socket.
#[derive(Debug, PartialEq)]
struct Listener {
    port: u16,
    loopback: bool,
    inode: u64,
}

/// The ports that listen, by number, without `own`.
pub(super) fn listening(own: u16) -> Vec<Port> {
    let mut listeners = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // A kernel without IPv6 has no second table.
        listeners.extend(
            std::fs::read_to_string(table).unwrap_or_default().lines().filter_map(parse_line),
        );
    }
    listeners.retain(|listener| listener.port != own);
    if listeners.is_empty() {
        return Vec::new();
    }
    let holders = holders();
    let mut ports: BTreeMap<u16, Port> = BTreeMap::new();
    for listener in listeners {
        let port = ports.entry(listener.port).or_insert_with(|| Port {
            port: listener.port.into(),
            process: String::new(),
            loopback_only: true,
        });
        port.loopback_only &= listener.loopback;
        if let Some(pid) = holders.get(&listener.inode).filter(|_| port.process.is_empty()) {
            port.process = proc::short_name(*pid).unwrap_or_default();
        }
    }
    ports.into_values().collect()
}

/// Which process holds which socket, where that can be read.
fn holders() -> HashMap<u64, i32> {
    let mut holders = HashMap::new();
    for pid in proc::processes().unwrap_or_default().all.into_keys() {
        let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let Ok(target) = std::fs::read_link(descriptor.path()) else { continue };
            let inode = target.to_str().and_then(|target| {
                target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
            });
            if let Some(inode) = inode {
                holders.entry(inode).or_insert(pid);
            }
        }
    }
    holders
}

fn parse_line(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = parse_address(address)?;
    let loopback = match address {
        IpAddr::V6(address) => {
            address.to_ipv4_mapped().map_or(address.is_loopback(), |address| address.is_loopback())
        }
        IpAddr::V4(address) => address.is_loopback(),
    };
    Some(Listener { port, loopback, inode: fields.get(9)?.parse().ok()? })
}

/// The kernel prints an address as words of 32 bits, each in the machine's own byte order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for word in hex.as_bytes().chunks(8) {
        bytes.extend(u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes());
    }
    <[u8; 4]>::try_from(&bytes[..])
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(&bytes[..]).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let listener = |port, loopback, inode| Some(Listener { port, loopback, inode });
        let tail = "00000000:00000000 00:00000000 00000000  1000        0 4711 1 0";
        let cases = [
            (format!("0: 0100007F:0BB8 00000000:0000 0A {tail}"), listener(3000, true, 4711)),
            (format!("0: 00000000:1F90 00000000:0000 0A {tail}"), listener(8080, false, 4711)),
            (format!("0: 0100007F:0BB8 0100007F:9999 01 {tail}"), None),
            (
                format!("0: 00000000000000000000000001000000:0050 0:0 0A {tail}"),
                listener(80, true, 4711),
            ),
            (
                format!("0: 0000000000000000FFFF00000100007F:0050 0:0 0A {tail}"),
                listener(80, true, 4711),
            ),
            (
                format!("0: 00000000000000000000000000000000:0050 0:0 0A {tail}"),
                listener(80, false, 4711),
            ),
            ("  sl  local_address rem_address   st tx_queue".into(), None),
        ];
        for (line, expected) in cases {
            assert_eq!(parse_line(&line), expected, "{line}");
        }
    }
}
