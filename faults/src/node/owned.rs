//! A packet filter that the kernel owns: an nftables table with the flag `owner`, over a netlink socket of this process. When
//! the process ends, however it ends, the kernel removes the table; and after a moment that the rule itself names it matches
//! nothing. It needs `NET_ADMIN` in the network's namespace and no tool of the node.
//!
//! Only what one path needs is spoken here, in the form that `linux/netfilter/nf_tables.h` gives.

use super::error::StepError;
use jiff::Timestamp;
use rtnetlink::sys::{Socket, protocols::NETLINK_NETFILTER};
use std::{fmt, io, net::Ipv4Addr};

/// Which packets are dropped; of each kind of way one at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TooLong {
    /// To which addresses.
    pub(crate) to: Network,
    /// Only UDP to this port, which the node itself sends: a tunnel. Else what the node forwards.
    pub(crate) tunnel: Option<u16>,
    /// Longer than so many bytes, all headers of IP included.
    pub(crate) than: u32,
    /// From then on none.
    pub(crate) until: Timestamp,
}

/// Addresses with the same first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) address: Ipv4Addr,
    pub(crate) bits: u8,
}

impl Network {
    pub(crate) fn of_one(address: Ipv4Addr) -> Self {
        Self { address, bits: 32 }
    }

    /// Reads `10.0.0.0/24`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits) = (address.parse().ok()?, bits.parse().ok()?);
        (1..=32).contains(&bits).then_some(Self { address, bits })
    }

    fn mask(self) -> u32 {
        u32::MAX << (32 - u32::from(self.bits))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl TooLong {
    fn chain(&self) -> &'static str {
        if self.tunnel.is_some() { TUNNEL_CHAIN } else { FORWARD_CHAIN }
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tunnel {
            Some(port) => write!(f, "UDP to {}:{port} of more than {} bytes", self.to.address, self.than),
            None => write!(f, "forwarded packets to {} of more than {} bytes", self.to, self.than),
        }
    }
}

/// The table while it is there: as long as this value lives, in a process that lives.
pub(crate) struct Owned {
    socket: Socket,
    table: String,
    rules: usize,
}

impl Owned {
    /// Adds the table with a rule for each of these, in one transaction.
    ///
    /// # Errors
    /// When the kernel refuses: there is a table of that name, or it is too old (5.12), or the right is missing.
    pub(crate) fn install(table: &str, drops: &[TooLong]) -> Result<Self, StepError> {
        let mut socket = open()?;
        socket.bind_auto().map_err(StepError::io("netlink socket"))?;
        let owned = Self { socket, table: table.to_owned(), rules: drops.len() };
        let mut batch = vec![message(BATCH_BEGIN, 0, 0, 0, &[]), table_message(table)];
        for drops in drops {
            batch.extend([chain_message(table, drops), rule_message(table, drops)]);
        }
        batch.push(message(BATCH_END, 0, 0, 0, &[]));
        owned.send(&batch.concat())?;
        // Table, chains and rules are each confirmed.
        let mut confirmed = 0;
        while confirmed < 1 + 2 * drops.len() {
            for answer in owned.receive()? {
                answer.check().map_err(StepError::io(format!("nftables table {table}")))?;
                confirmed += usize::from(answer.kind == NLMSG_ERROR);
            }
        }
        Ok(owned)
    }

    /// How many packets the rules have dropped, by the kernel's own counters; nothing where one is not there.
    pub(crate) fn dropped(&self) -> Result<Option<u64>, StepError> {
        let failed = || StepError::io(format!("nftables table {}", self.table));
        let of = text(NFTA_RULE_TABLE, &self.table);
        self.send(&message(GET_RULE, NLM_F_REQUEST | NLM_F_DUMP, 1, IPV4, &of))?;
        let mut counts = vec![];
        loop {
            for answer in self.receive()? {
                match answer.kind {
                    NLMSG_DONE => return Ok((counts.len() == self.rules).then(|| counts.iter().sum())),
                    NLMSG_ERROR => answer.check().map_err(failed())?,
                    _ => counts.extend(packets(&answer.body)),
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> Result<(), StepError> {
        self.socket.send(bytes, 0).map(drop).map_err(StepError::io("netlink socket"))
    }

    fn receive(&self) -> Result<Vec<Answer>, StepError> {
        let (bytes, _) = self.socket.recv_from_full().map_err(StepError::io("netlink socket"))?;
        Ok(answers(&bytes))
    }
}

fn open() -> Result<Socket, StepError> {
    Socket::new(NETLINK_NETFILTER).map_err(StepError::io("netlink socket"))
}

// What is said. The numbers are those of linux/netlink.h, linux/netfilter/nfnetlink.h and nf_tables.h.

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_CREATE_NEW: u16 = 0x600;
const NLMSG_ERROR: u16 = 0x2;
const NLMSG_DONE: u16 = 0x3;
const NESTED: u16 = 0x8000;

const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = NFTABLES << 8;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
const GET_RULE: u16 = NFTABLES << 8 | 7;
const IPV4: u8 = 2;

const NFTA_TABLE_NAME: u16 = 1;
const NFTA_TABLE_FLAGS: u16 = 2;
const NFT_TABLE_F_OWNER: u32 = 2;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NF_INET_FORWARD: u32 = 2;
const NF_INET_LOCAL_OUT: u32 = 3;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;
const NFTA_COUNTER_PACKETS: u16 = 2;
/// The register that all comparisons use.
const REGISTER: u32 = 1;
const VERDICT: u32 = 0;
const EQUAL: u32 = 0;
const LESS: u32 = 2;
const GREATER: u32 = 4;
const META_LEN: u32 = 0;
const META_L4PROTO: u32 = 16;
const META_TIME_NS: u32 = 30;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
const UDP: u8 = 17;

/// The name of the chain of what the node sends, and of that of what it forwards.
const TUNNEL_CHAIN: &str = "tunnel";
const FORWARD_CHAIN: &str = "forward";

fn table_message(table: &str) -> Vec<u8> {
    let body = [text(NFTA_TABLE_NAME, table), number(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER)].concat();
    message(NEW_TABLE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE_NEW, 1, IPV4, &body)
}

fn chain_message(table: &str, drops: &TooLong) -> Vec<u8> {
    let at = if drops.tunnel.is_some() { NF_INET_LOCAL_OUT } else { NF_INET_FORWARD };
    let hook = [number(NFTA_HOOK_HOOKNUM, at), number(NFTA_HOOK_PRIORITY, 0)].concat();
    let body = [
        text(NFTA_CHAIN_TABLE, table),
        text(NFTA_CHAIN_NAME, drops.chain()),
        attribute(NFTA_CHAIN_HOOK | NESTED, &hook),
        text(NFTA_CHAIN_TYPE, "filter"),
    ];
    message(NEW_CHAIN, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE_NEW, 2, IPV4, &body.concat())
}

fn rule_message(table: &str, drops: &TooLong) -> Vec<u8> {
    let mut tests = vec![];
    let mask = drops.to.mask();
    tests.extend([
        loads(NETWORK_HEADER, 16, 4),
        masks(mask),
        compares(EQUAL, &(u32::from(drops.to.address) & mask).to_be_bytes()),
    ]);
    if let Some(port) = drops.tunnel {
        tests.extend([meta(META_L4PROTO), compares(EQUAL, &[UDP])]);
        tests.extend([loads(TRANSPORT_HEADER, 2, 2), compares(EQUAL, &port.to_be_bytes())]);
    }
    let until = u64::try_from(drops.until.as_nanosecond()).unwrap_or(0);
    tests.extend([meta(META_LEN), to_network_order(4), compares(GREATER, &drops.than.to_be_bytes())]);
    tests.extend([meta(META_TIME_NS), to_network_order(8), compares(LESS, &until.to_be_bytes())]);
    tests.extend([expression("counter", &[]), drop_it()]);
    let listed: Vec<u8> = tests.iter().flat_map(|t| attribute(NFTA_LIST_ELEM | NESTED, t)).collect();
    let body = [
        text(NFTA_RULE_TABLE, table),
        text(NFTA_RULE_CHAIN, drops.chain()),
        attribute(NFTA_RULE_EXPRESSIONS | NESTED, &listed),
    ];
    message(NEW_RULE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE_NEW, 3, IPV4, &body.concat())
}

/// Loads bytes of a header.
fn loads(header: u32, offset: u32, length: u32) -> Vec<u8> {
    expression("payload", &[number(1, REGISTER), number(2, header), number(3, offset), number(4, length)])
}

fn masks(mask: u32) -> Vec<u8> {
    let value = |kind, v: u32| attribute(kind | NESTED, &attribute(NFTA_DATA_VALUE, &v.to_be_bytes()));
    let registers = [number(1, REGISTER), number(2, REGISTER), number(3, 4)];
    expression("bitwise", &[registers.concat(), value(4, mask), value(5, 0)])
}

fn meta(key: u32) -> Vec<u8> {
    expression("meta", &[number(1, REGISTER), number(2, key)])
}

/// Numbers of the kernel are compared byte by byte.
fn to_network_order(bytes: u32) -> Vec<u8> {
    let hton = 1;
    let sizes = [number(3, hton), number(4, bytes), number(5, bytes)];
    expression("byteorder", &[number(1, REGISTER), number(2, REGISTER), sizes.concat()])
}

fn compares(operation: u32, to: &[u8]) -> Vec<u8> {
    let value = attribute(3 | NESTED, &attribute(NFTA_DATA_VALUE, to));
    expression("cmp", &[number(1, REGISTER), number(2, operation), value])
}

fn drop_it() -> Vec<u8> {
    let code = attribute(NFTA_DATA_VERDICT | NESTED, &number(NFTA_VERDICT_CODE, 0));
    expression("immediate", &[number(1, VERDICT), attribute(2 | NESTED, &code)])
}

fn expression(name: &str, data: &[Vec<u8>]) -> Vec<u8> {
    [text(NFTA_EXPR_NAME, name), attribute(NFTA_EXPR_DATA | NESTED, &data.concat())].concat()
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

const HEADER: usize = 4;

/// An attribute: its length, its kind, its value, and zeroes up to the next multiple of four.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(HEADER + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

const MESSAGE_HEADER: usize = 16;
const FAMILY_HEADER: usize = 4;

fn message(kind: u16, flags: u16, sequence: u32, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(MESSAGE_HEADER + FAMILY_HEADER + body.len()).unwrap_or(u32::MAX);
    let is_batch = matches!(kind, BATCH_BEGIN | BATCH_END);
    let subsystem = if is_batch { NFTABLES } else { 0 };
    [
        &length.to_ne_bytes()[..],
        &kind.to_ne_bytes(),
        &(flags | NLM_F_REQUEST).to_ne_bytes(),
        &sequence.to_ne_bytes(),
        &[0; 4],
        &[family, 0],
        &subsystem.to_be_bytes(),
        body,
    ]
    .concat()
}

/// What the kernel says.
struct Answer {
    kind: u16,
    body: Vec<u8>,
}

impl Answer {
    fn check(&self) -> io::Result<()> {
        let code = self.body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
        match self.kind == NLMSG_ERROR && code != 0 {
            true => Err(io::Error::from_raw_os_error(-code)),
            false => Ok(()),
        }
    }
}

fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut found = vec![];
    while let Some(header) = bytes.first_chunk::<MESSAGE_HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(body) = bytes.get(MESSAGE_HEADER..length) else { break };
        found.push(Answer { kind: u16::from_ne_bytes([header[4], header[5]]), body: body.to_vec() });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// The value of the first attribute of that kind.
fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(k, _)| *k == kind).map(|(_, value)| value)
}

fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let header = bytes.first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & !NESTED;
        let value = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The counter in a rule.
fn packets(body: &[u8]) -> Option<u64> {
    let expressions = find(body.get(FAMILY_HEADER..)?, NFTA_RULE_EXPRESSIONS)?;
    let counter = attributes(expressions)
        .find(|(_, e)| find(e, NFTA_EXPR_NAME).is_some_and(|name| name.starts_with(b"counter")))?;
    let value = find(find(counter.1, NFTA_EXPR_DATA)?, NFTA_COUNTER_PACKETS)?;
    value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::links::tests::on_a_node;
    use std::{
        net::UdpSocket,
        time::{Duration, Instant},
    };

    fn until(seconds: i64) -> Timestamp {
        Timestamp::from_second(Timestamp::now().as_second() + seconds).expect("a moment")
    }

    /// Whether a short and a long packet arrive, sent again and again; one that the filter has counted does not. The kernel takes
    /// a moment to remove a filter, and a busy machine to deliver a packet.
    fn arrive(port: u16, owned: Option<&Owned>) -> [bool; 2] {
        let dropped = || owned.and_then(|owned| owned.dropped().expect("read")).unwrap_or(0);
        let receiver = UdpSocket::bind(("127.0.0.1", port)).expect("a socket");
        receiver.set_read_timeout(Some(Duration::from_millis(200))).expect("a limit");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let before = dropped();
        let (mut arrived, began) = ([false; 2], Instant::now());
        while began.elapsed() < Duration::from_secs(60) {
            for length in [100, 1400] {
                // The kernel may say at once that a packet was dropped.
                let _ = sender.send_to(&vec![0; length], ("127.0.0.1", port));
            }
            while let Ok(length) = receiver.recv(&mut [0; 2000]) {
                arrived[usize::from(length > 1000)] = true;
                if arrived[0] && (arrived[1] || dropped() > before) {
                    return arrived;
                }
            }
        }
        arrived
    }

    fn drops(until: Timestamp) -> TooLong {
        TooLong { to: Network::of_one(Ipv4Addr::LOCALHOST), tunnel: Some(6081), than: 1000, until }
    }

    #[test]
    fn long_packets_of_the_tunnel_are_dropped_and_counted_until_it_is_gone() {
        on_a_node(|| {
            let owned = Owned::install("path_r1", &[drops(until(60))]).expect("a table");
            assert_eq!(owned.dropped().expect("read"), Some(0));
            assert_eq!(arrive(6081, Some(&owned)), [true, false]);
            assert_eq!(arrive(6082, Some(&owned)), [true, true], "another port");
            assert!(owned.dropped().expect("read") >= Some(1));
            let twice =
                Owned::install("path_r1", &[drops(until(60))]).err().expect("it is there").to_string();
            assert!(twice.contains("nftables table path_r1"), "{twice}");
            drop(owned);
            assert_eq!(arrive(6081, None), [true, true]);
            drop(Owned::install("path_r1", &[drops(until(60))]).expect("nothing was left"));
        });
    }

    #[test]
    fn what_is_sent_and_what_is_forwarded_are_counted_together() {
        on_a_node(|| {
            let network = Network::parse("10.244.2.0/24").expect("a network");
            let forwarded = TooLong { to: network, tunnel: None, ..drops(until(60)) };
            let owned = Owned::install("path_r1", &[drops(until(60)), forwarded]).expect("a table");
            assert_eq!(owned.dropped().expect("read"), Some(0));
            assert_eq!(arrive(6081, Some(&owned)), [true, false]);
            assert!(owned.dropped().expect("read") >= Some(1));
        });
    }

    #[test]
    fn after_its_last_moment_it_matches_nothing() {
        on_a_node(|| {
            let owned = Owned::install("path_r1", &[drops(until(-1))]).expect("a table");
            assert_eq!(arrive(6081, Some(&owned)), [true, true]);
            assert_eq!(owned.dropped().expect("read"), Some(0));
        });
    }

    /// That it drops what is forwarded is not shown here: a namespace of its own forwards nothing.
    #[test]
    fn a_network_is_read_and_the_kernel_takes_a_filter_for_it() {
        on_a_node(|| {
            let to = |text: &str| Network::parse(text).expect("a network");
            for (network, rest) in [("10.244.2.0/24", "10.244.2.255"), ("0.0.0.0/1", "127.9.9.9")] {
                let (network, rest) = (to(network), rest.parse::<Ipv4Addr>().expect("an address"));
                assert_eq!(u32::from(rest) & network.mask(), u32::from(network.address));
            }
            let drops = TooLong { to: to("10.244.2.0/24"), tunnel: None, than: 1350, until: until(60) };
            assert_eq!(drops.to_string(), "forwarded packets to 10.244.2.0/24 of more than 1350 bytes");
            let owned = Owned::install("path_r1", &[drops]).expect("a table");
            assert_eq!(owned.dropped().expect("read"), Some(0));
        });
        for nonsense in ["10.0.0.0", "10.0.0.0/0", "10.0.0.0/33", "a/8", "::/64"] {
            assert_eq!(Network::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_torn_answer_is_no_panic() {
        let whole = rule_message("t", &drops(until(1)));
        for length in 0..whole.len() {
            for answer in answers(&whole[..length]) {
                assert!(packets(&answer.body).is_none() && answer.check().is_ok());
            }
        }
    }
}
