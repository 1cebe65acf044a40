//! What a worker asks the egress proxy for, and whether it may have it. Pure: nothing here resolves or connects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most bytes of a request before its empty line.
pub(super) const MOST_HEAD: usize = 8 << 10;
/// The port of hosts that are named without one.
const HTTPS: u16 = 443;
/// The only address of this machine that can be allowed.
const LOCAL: &str = "127.0.0.1";

/// Where somebody wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Lower case.
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a request is refused, in words for the audit and the worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("only CONNECT host:port is served here")]
    NotConnect,
    #[error("the request is no plain text")]
    NotPlain,
    #[error("that is no host name and port")]
    NoTarget,
    #[error("addresses are not served, only names")]
    Address,
    #[error("{0} is not on the list of allowed hosts")]
    NotAllowed(String),
    #[error("{0} leads to an address inside of a private network")]
    Private(String),
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
}

/// Reads the head of a request, up to and without its empty line.
pub(super) fn read(head: &[u8]) -> Result<Target, Refused> {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    if !head.iter().all(plain) {
        return Err(Refused::NotPlain);
    }
    let text = str::from_utf8(head).map_err(|_| Refused::NotPlain)?;
    let (line, rest) = text.split_once("\r\n").unwrap_or((text, ""));
    // A line end that only one side takes for one hides a second request.
    let odd = |text: &str| text.replace("\r\n", "").contains(['\r', '\n']);
    if line.contains(['\r', '\n', '\t']) || odd(rest) {
        return Err(Refused::NotPlain);
    }
    let words: Vec<&str> = line.split(' ').collect();
    let ["CONNECT", authority, "HTTP/1.1" | "HTTP/1.0"] = words[..] else { return Err(Refused::NotConnect) };
    let (host, port) = authority.rsplit_once(':').ok_or(Refused::NoTarget)?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    let port = port.parse().ok().filter(|_| digits).ok_or(Refused::NoTarget)?;
    Ok(Target { host: name(host)?, port })
}

/// A host name, lower case. Everything that some resolver takes for an address is refused, but for plain `127.0.0.1`, which
/// a setting may allow.
fn name(host: &str) -> Result<String, Refused> {
    let host = host.to_ascii_lowercase();
    if host == LOCAL {
        return Ok(host);
    }
    if host.starts_with('[') || host.contains(':') {
        return Err(Refused::Address);
    }
    let label = |label: &str| {
        let inner =
            label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    if 253 < host.len() || !host.split('.').all(label) {
        return Err(Refused::NoTarget);
    }
    // 127.1, 2130706433, 0x7f000001: the last part of a name is never a number (RFC 3696).
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit()) || is_hex(last);
    if number { Err(Refused::Address) } else { Ok(host) }
}

fn is_hex(part: &str) -> bool {
    part.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What can be reached: exactly these hosts and ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Allowed {
    hosts: Vec<Target>,
    local: Vec<u16>,
}

impl Allowed {
    /// `hosts`: `name` or `name:port`; what is none is left out. `local`: ports of 127.0.0.1.
    pub(super) fn new(hosts: impl IntoIterator<Item = impl AsRef<str>>, local: &[u16]) -> Self {
        let hosts = hosts.into_iter().filter_map(|host| entry(host.as_ref())).collect();
        Self { hosts, local: local.to_vec() }
    }

    /// Whether somebody may go there.
    pub(super) fn check(&self, target: &Target) -> Result<(), Refused> {
        let local = target.is_local() && self.local.contains(&target.port);
        if local || !target.is_local() && self.hosts.contains(target) {
            return Ok(());
        }
        Err(Refused::NotAllowed(target.to_string()))
    }
}

/// An entry of a list of hosts.
pub(super) fn entry(text: &str) -> Option<Target> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
        None => (text, HTTPS),
    };
    let host = name(host).ok().filter(|host| host != LOCAL)?;
    Some(Target { host, port })
}

impl Target {
    /// On this machine's loopback.
    pub(super) fn is_local(&self) -> bool {
        self.host == LOCAL
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Whether an address is one of the public internet. A name that leads elsewhere would let a worker reach this machine,
/// its neighbours, or a cloud's metadata (THREATS T8).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b); // RFC 6598
    let protocol = a == 192 && b == 0 && c == 0; // RFC 6890
    let benchmark = a == 198 && (b == 18 || b == 19); // RFC 2544
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_broadcast();
    // 0.0.0.0/8 is this machine, 224 and above is multicast or reserved.
    !(special || shared || protocol || benchmark || a == 0 || 224 <= a)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] => embedded(high, low), // IPv4 in IPv6
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low), // NAT64
        [0x2002, high, low, ..] => embedded(high, low),            // 6to4
        // Global unicast is 2000::/3; of it not Teredo and other special uses, nor documentation.
        [0x2001, second, ..] => 0x200 <= second && second != 0xdb8,
        [first, ..] => (0x2000..0x4000).contains(&first) && first != 0x3fff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Allowed {
        Allowed::new(
            ["api.example.com", "llm.example.com:8443", "10.0.0.1", "bad host", "127.0.0.1:9"],
            &[8080],
        )
    }

    fn asked(authority: &str) -> Result<Target, Refused> {
        let target = read(format!("CONNECT {authority} HTTP/1.1\r\nHost: x\r\n").as_bytes())?;
        allowed().check(&target).map(|()| target)
    }

    #[test]
    fn allowed_hosts_are_reached_in_whatever_case() {
        for (given, host, port) in [
            ("api.example.com:443", "api.example.com", 443),
            ("API.Example.COM:443", "api.example.com", 443),
            ("llm.example.com:8443", "llm.example.com", 8443),
            ("127.0.0.1:8080", "127.0.0.1", 8080),
        ] {
            assert_eq!(asked(given), Ok(Target { host: host.to_owned(), port }), "{given}");
        }
    }

    /// T8: targets that have led out of other proxies.
    const HOSTILE: [&[u8]; 40] = [
        b"CONNECT evil.example:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com.evil.example:443 HTTP/1.1\r\n",
        b"CONNECT evil-api.example.com:443 HTTP/1.1\r\n",
        b"CONNECT sub.api.example.com:443 HTTP/1.1\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com.:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com:80 HTTP/1.1\r\n",
        b"CONNECT api.example.com:22 HTTP/1.1\r\n",
        b"CONNECT api.example.com:0443 HTTP/1.1\r\n",
        b"CONNECT api.example.com HTTP/1.1\r\n",
        b"CONNECT api.example.com: HTTP/1.1\r\n",
        b"CONNECT api.example.com:+443 HTTP/1.1\r\n",
        b"CONNECT api.example.com:99999 HTTP/1.1\r\n",
        b"CONNECT api.example.com:0 HTTP/1.1\r\n",
        b"CONNECT user@api.example.com:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com@evil.example:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com\0.evil.example:443 HTTP/1.1\r\n",
        b"CONNECT evil.example\0api.example.com:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com%00.evil.example:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com#evil.example:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com/evil.example:443 HTTP/1.1\r\n",
        b"CONNECT \xd0\xb0pi.example.com:443 HTTP/1.1\r\n",
        b"CONNECT xn--pi-7cd.example.com:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com\t:443 HTTP/1.1\r\n",
        b"CONNECT  api.example.com:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com:443 HTTP/1.1\nCONNECT evil.example:443 HTTP/1.1\r\n",
        b"CONNECT api.example.com:443 HTTP/2.0\r\n",
        b"connect api.example.com:443 HTTP/1.1\r\n",
        b"GET http://api.example.com/ HTTP/1.1\r\n",
        b"POST http://169.254.169.254/latest/api/token HTTP/1.1\r\n",
        b"CONNECT 169.254.169.254:80 HTTP/1.1\r\n",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n",
        b"CONNECT 127.1:8080 HTTP/1.1\r\n",
        b"CONNECT 2130706433:8080 HTTP/1.1\r\n",
        b"CONNECT 0x7f000001:8080 HTTP/1.1\r\n",
        b"CONNECT 0177.0.0.1:8080 HTTP/1.1\r\n",
        b"CONNECT localhost:8080 HTTP/1.1\r\n",
        b"CONNECT [::1]:8080 HTTP/1.1\r\n",
        b"CONNECT [::ffff:127.0.0.1]:8080 HTTP/1.1\r\n",
        b"CONNECT 10.0.0.1:443 HTTP/1.1\r\n",
    ];

    #[test]
    fn hostile_targets_are_refused() {
        for head in HOSTILE {
            let answer = read(head).and_then(|target| allowed().check(&target).map(|()| target));
            let shown = String::from_utf8_lossy(head);
            assert!(answer.is_err(), "{shown}: {answer:?}");
        }
        assert_eq!(HOSTILE.len(), 40);
    }

    #[test]
    fn nothing_is_allowed_by_an_empty_list() {
        let target = Target { host: "api.example.com".to_owned(), port: 443 };
        assert_eq!(
            Allowed::default().check(&target),
            Err(Refused::NotAllowed("api.example.com:443".to_owned()))
        );
    }

    #[test]
    fn only_public_addresses_are_connected_to() {
        for (address, public) in [
            ("93.184.216.34", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("::ffff:10.0.0.1", false),
            ("64:ff9b::a00:1", false),
            ("2002:a00:1::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
