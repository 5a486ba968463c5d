//! `/proc/net/snmp`: counters of the IP layer.

use loopdrill_model::signal::IpCounters;
use std::collections::HashMap;

/// Reads the table: pairs of lines, names above values. `None` when it is another table.
pub(super) fn parse(node: &str, text: &str) -> Option<IpCounters> {
    let mut table = HashMap::new();
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (group, names) = names.split_once(':')?;
        let (same, values) = values.split_once(':')?;
        if group != same {
            return None;
        }
        for (name, value) in names.split_ascii_whitespace().zip(values.split_ascii_whitespace()) {
            table.insert((group, name), value);
        }
    }
    // Some counters are signed in here; none of ours is ever negative.
    let get = |group, name| table.get(&(group, name))?.parse().ok();
    Some(IpCounters { node: node.into(), frag_fails: get("Ip", "FragFails")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Ip: Forwarding DefaultTTL FragOKs FragFails FragCreates
Ip: 1 64 0 17 0
Icmp: InMsgs OutDestUnreachs
Icmp: 3 8
Tcp: RtoAlgorithm MaxConn OutSegs RetransSegs
Tcp: 1 -1 4711 42
";

    #[test]
    fn finds_the_counter_by_name() {
        let c = parse("n", TEXT).expect("well-formed");
        assert_eq!((c.node.as_str(), c.frag_fails), ("n", 17));
    }

    #[test]
    fn another_table_is_none() {
        for text in ["", "Ip: a", "Ip: a\nTcp: 1\n", "nonsense\nmore\n", &TEXT.replace("FragFails", "X")] {
            assert_eq!(parse("n", text), None, "{text}");
        }
    }

    #[test]
    fn reads_this_machine() {
        let text = std::fs::read_to_string("/proc/net/snmp").expect("every Linux has it");
        assert!(parse("n", &text).is_some());
    }
}
