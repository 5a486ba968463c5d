//! Dropping outgoing ICMP "fragmentation needed" (type 3, code 4).
//!
//! With nftables the filter is a table of our own, so that its removal is exact and nobody else's rules are
//! touched. A node without `nft` gets two iptables rules with our tag as comment.

use super::{
    error::{StepError, run},
    step::{Before, FilterTool},
};

/// The chains that see what a node sends: its own packets and those it forwards.
const CHAINS: [&str; 2] = ["OUTPUT", "FORWARD"];

/// Chooses the tool and refuses a table or rule that is there already.
pub(super) fn snapshot(tag: &str) -> Result<Before, StepError> {
    let tool = match run(&["nft", "list", "tables"], None) {
        Ok(_) => FilterTool::Nft,
        Err(nft) => run(&["iptables", "--wait", "-S", "OUTPUT"], None)
            .map(|_| FilterTool::Iptables)
            .map_err(|iptables| StepError::Unfit(format!("packets cannot be filtered: {nft}; {iptables}")))?,
    };
    if exists(tool, tag)? {
        return Err(StepError::foreign(format!("packet filter {tag}"), "it is there already"));
    }
    Ok(Before::NoFilter { tool })
}

/// Adds the filter in one transaction.
pub(super) fn apply(tool: FilterTool, tag: &str) -> Result<(), StepError> {
    match tool {
        FilterTool::Nft => run(&["nft", "-f", "-"], Some(&nft_table(tag))).map(drop),
        FilterTool::Iptables => iptables_each(tag, "-I"),
    }
}

/// Removes exactly what [`apply`] adds.
pub(super) fn remove(tool: FilterTool, tag: &str) -> Result<(), StepError> {
    match tool {
        FilterTool::Nft if exists(tool, tag)? => run(&["nft", "delete", "table", "ip", tag], None).map(drop),
        FilterTool::Iptables => {
            while exists(tool, tag)? {
                for chain in CHAINS.into_iter().filter(|chain| iptables(chain, tag, "-C").is_ok()) {
                    iptables(chain, tag, "-D")?;
                }
            }
            Ok(())
        }
        FilterTool::Nft => Ok(()),
    }
}

/// Whether anything of the filter is there.
pub(super) fn exists(tool: FilterTool, tag: &str) -> Result<bool, StepError> {
    match tool {
        FilterTool::Nft => {
            let tables = run(&["nft", "list", "tables"], None)?;
            Ok(tables.lines().any(|line| line.trim() == format!("table ip {tag}")))
        }
        FilterTool::Iptables => Ok(CHAINS.iter().any(|chain| iptables(chain, tag, "-C").is_ok())),
    }
}

/// What shows the filter to be in force, with the number of packets it has dropped.
pub(super) fn read(tool: FilterTool, tag: &str) -> Result<Option<String>, StepError> {
    if !exists(tool, tag)? {
        return Ok(None);
    }
    let dropped = match tool {
        FilterTool::Nft => nft_dropped(&run(&["nft", "list", "table", "ip", tag], None)?),
        FilterTool::Iptables if CHAINS.iter().all(|chain| iptables(chain, tag, "-C").is_ok()) => {
            iptables_dropped(&run(&["iptables", "--wait", "-nvxL"], None)?, tag)
        }
        FilterTool::Iptables => return Ok(None),
    };
    Ok(dropped.map(|n| format!("outgoing ICMP fragmentation-needed dropped ({n} so far)")))
}

fn nft_table(tag: &str) -> String {
    let chain = |name: &str| {
        format!(
            "chain {name} {{\n type filter hook {name} priority -300; policy accept;\n \
             icmp type destination-unreachable icmp code 4 counter drop\n}}\n"
        )
    };
    format!("table ip {tag} {{\n{}{}}}\n", chain("output"), chain("forward"))
}

/// Sums the counters of the drop rules. `None` when there are fewer than the two rules.
fn nft_dropped(listing: &str) -> Option<u64> {
    let counts: Vec<u64> = listing
        .lines()
        .filter(|line| line.trim_end().ends_with("drop"))
        .filter_map(|line| line.split("packets ").nth(1)?.split(' ').next()?.parse().ok())
        .collect();
    (counts.len() == CHAINS.len()).then(|| counts.iter().sum())
}

fn iptables_dropped(listing: &str, tag: &str) -> Option<u64> {
    let comment = format!("/* {tag} */");
    let ours = listing.lines().filter(|line| line.contains(&comment));
    let counts: Vec<u64> = ours.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    (counts.len() == CHAINS.len()).then(|| counts.iter().sum())
}

fn iptables_each(tag: &str, operation: &str) -> Result<(), StepError> {
    CHAINS.into_iter().try_for_each(|chain| iptables(chain, tag, operation))
}

fn iptables(chain: &str, tag: &str, operation: &str) -> Result<(), StepError> {
    let rule = ["-p", "icmp", "--icmp-type", "3/4", "-m", "comment", "--comment", tag, "-j", "DROP"];
    let argv: Vec<&str> = ["iptables", "--wait", operation, chain].into_iter().chain(rule).collect();
    run(&argv, None).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NFT: &str = "table ip loopdrill_x {
	chain output {
		type filter hook output priority raw; policy accept;
		icmp type destination-unreachable icmp code frag-needed counter packets 3 bytes 1710 drop
	}

	chain forward {
		type filter hook forward priority raw; policy accept;
		icmp type destination-unreachable icmp code frag-needed counter packets 4 bytes 0 drop
	}
}
";

    #[test]
    fn counts_what_nft_dropped() {
        assert_eq!(nft_dropped(NFT), Some(7));
        assert_eq!(nft_dropped(&NFT.replacen("drop", "accept", 1)), None);
    }

    #[test]
    fn counts_only_our_iptables_rules() {
        let line = |n: u32, tag: &str| {
            format!("  {n}  570 DROP  icmp -- * * 0.0.0.0/0 0.0.0.0/0 icmptype 3 code 4 /* {tag} */\n")
        };
        let listing = line(3, "loopdrill_x") + &line(100, "other") + &line(2, "loopdrill_x");
        assert_eq!(iptables_dropped(&listing, "loopdrill_x"), Some(5));
        assert_eq!(iptables_dropped(&listing, "loopdrill_y"), None);
    }
}
