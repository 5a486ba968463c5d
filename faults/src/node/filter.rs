//! Dropping some of what a node sends: ICMP "fragmentation needed" (type 3, code 4), or what leaves by a link.
//!
//! With nftables the filter is a table of our own, so that its removal is exact and nobody else's rules are
//! touched. A node without `nft` gets two iptables rules with our tag as comment.

use super::{
    error::{StepError, run},
    mechanism::Mechanism,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Outgoing ICMP "fragmentation needed" is dropped, in a table (or by rules) of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropFragNeeded {
    /// Names the table or the rules, so that they are known as ours.
    pub tag: String,
}

/// Packets that leave by a link are dropped, all or by chance, in a table (or by rules) of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropOutgoing {
    /// Names the table or the rules.
    pub tag: String,
    /// The link.
    pub link: String,
    /// How many of a hundred.
    pub percent: u8,
}

/// There was no table (no rule) of that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoFilter {
    /// With which tool the filter is set.
    pub(crate) tool: FilterTool,
}

/// With which tool packets are filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FilterTool {
    Nft,
    Iptables,
}

impl fmt::Display for DropFragNeeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("drop outgoing ICMP \"fragmentation needed\"")
    }
}

impl fmt::Display for DropOutgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "drop {} of 100 packets that leave by {}", self.percent, self.link)
    }
}

/// A step that is a filter: each is a [`Mechanism`] by its tag and its rule.
trait Filter: fmt::Display {
    fn tag(&self) -> &str;
    fn rule(&self) -> Rule;
}

impl Filter for DropFragNeeded {
    fn tag(&self) -> &str {
        &self.tag
    }

    fn rule(&self) -> Rule {
        Rule::FragNeeded
    }
}

impl Filter for DropOutgoing {
    fn tag(&self) -> &str {
        &self.tag
    }

    fn rule(&self) -> Rule {
        Rule::Outgoing { link: self.link.clone(), percent: self.percent.min(100) }
    }
}

impl<F: Filter> Mechanism for F {
    type Before = NoFilter;
    const BEFORE: &'static str = "no-filter";

    /// Chooses the tool and refuses a table or rule that is there already.
    fn snapshot(&self) -> Result<NoFilter, StepError> {
        let tool = choose_tool()?;
        match exists(tool, self.tag(), &self.rule())? {
            true => Err(StepError::foreign(format!("packet filter {}", self.tag()), "it is there already")),
            false => Ok(NoFilter { tool }),
        }
    }

    /// Adds the filter in one transaction.
    fn apply(&self, before: &NoFilter) -> Result<(), StepError> {
        let (tag, rule) = (self.tag(), self.rule());
        match before.tool {
            FilterTool::Nft => run(&["nft", "-f", "-"], Some(&nft_table(tag, &rule))).map(drop),
            FilterTool::Iptables => iptables_each(tag, &rule, "-I"),
        }
    }

    fn read(&self, before: &NoFilter) -> Result<Option<String>, StepError> {
        read_drops(before.tool, self.tag(), &self.rule())
    }

    /// Removes exactly what `apply` adds.
    fn restore(&self, before: &NoFilter) -> Result<(), StepError> {
        let (tool, tag, rule) = (before.tool, self.tag(), self.rule());
        while exists(tool, tag, &rule)? {
            match tool {
                FilterTool::Nft => run(&["nft", "delete", "table", "ip", tag], None).map(drop)?,
                FilterTool::Iptables => {
                    for chain in CHAINS.into_iter().filter(|c| iptables(c, tag, &rule, "-C").is_ok()) {
                        iptables(chain, tag, &rule, "-D")?;
                    }
                }
            }
        }
        Ok(())
    }

    fn difference(&self, before: &NoFilter) -> Result<Option<String>, StepError> {
        let there = exists(before.tool, self.tag(), &self.rule())?;
        Ok(there.then(|| format!("packet filter {} is there, before: none", self.tag())))
    }
}

fn choose_tool() -> Result<FilterTool, StepError> {
    match run(&["nft", "list", "tables"], None) {
        Ok(_) => Ok(FilterTool::Nft),
        Err(nft) => run(&["iptables", "--wait", "-S", "OUTPUT"], None)
            .map(|_| FilterTool::Iptables)
            .map_err(|iptables| StepError::Unfit(format!("packets cannot be filtered: {nft}; {iptables}"))),
    }
}

/// The chains that see what a node sends: its own packets and those it forwards.
const CHAINS: [&str; 2] = ["OUTPUT", "FORWARD"];

/// Which packets a filter drops.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// ICMP type 3, code 4.
    FragNeeded,
    /// What leaves by this link, so many of a hundred.
    Outgoing { link: String, percent: u8 },
}

impl Rule {
    fn nft(&self) -> String {
        match self {
            Rule::FragNeeded => "icmp type destination-unreachable icmp code 4".into(),
            Rule::Outgoing { link, percent: 100 } => format!("oifname \"{link}\""),
            Rule::Outgoing { link, percent } => {
                format!("oifname \"{link}\" numgen random mod 100 < {percent}")
            }
        }
    }

    fn iptables(&self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        match self {
            Rule::FragNeeded => words(&["-p", "icmp", "--icmp-type", "3/4"]),
            Rule::Outgoing { link, percent: 100 } => words(&["-o", link]),
            Rule::Outgoing { link, percent } => {
                let share = format!("{:.2}", f64::from(*percent) / 100.0);
                words(&["-o", link, "-m", "statistic", "--mode", "random", "--probability", &share])
            }
        }
    }

    /// When a chain sees the packet: what leaves by a link must have been routed.
    const fn priority(&self) -> i32 {
        match self {
            Rule::FragNeeded => -300,
            Rule::Outgoing { .. } => 0,
        }
    }

    fn words(&self, dropped: u64) -> String {
        match self {
            Rule::FragNeeded => format!("outgoing ICMP fragmentation-needed dropped ({dropped} so far)"),
            Rule::Outgoing { link, percent } => {
                format!("{percent} of 100 packets that leave by {link} dropped ({dropped} so far)")
            }
        }
    }
}

/// Whether anything of the filter is there.
fn exists(tool: FilterTool, tag: &str, rule: &Rule) -> Result<bool, StepError> {
    match tool {
        FilterTool::Nft => {
            let tables = run(&["nft", "list", "tables"], None)?;
            Ok(tables.lines().any(|line| line.trim() == format!("table ip {tag}")))
        }
        FilterTool::Iptables => Ok(CHAINS.iter().any(|chain| iptables(chain, tag, rule, "-C").is_ok())),
    }
}

/// What shows the filter to be in force, with the number of packets it has dropped.
fn read_drops(tool: FilterTool, tag: &str, rule: &Rule) -> Result<Option<String>, StepError> {
    if !exists(tool, tag, rule)? {
        return Ok(None);
    }
    let dropped = match tool {
        FilterTool::Nft => nft_dropped(&run(&["nft", "list", "table", "ip", tag], None)?),
        FilterTool::Iptables if CHAINS.iter().all(|chain| iptables(chain, tag, rule, "-C").is_ok()) => {
            iptables_dropped(&run(&["iptables", "--wait", "-nvxL"], None)?, tag)
        }
        FilterTool::Iptables => return Ok(None),
    };
    Ok(dropped.map(|n| rule.words(n)))
}

fn nft_table(tag: &str, rule: &Rule) -> String {
    let (priority, matches) = (rule.priority(), rule.nft());
    let chain = |name: &str| {
        format!(
            "chain {name} {{\n type filter hook {name} priority {priority}; policy accept;\n \
             {matches} counter drop\n}}\n"
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

fn iptables_each(tag: &str, rule: &Rule, operation: &str) -> Result<(), StepError> {
    CHAINS.into_iter().try_for_each(|chain| iptables(chain, tag, rule, operation))
}

fn iptables(chain: &str, tag: &str, rule: &Rule, operation: &str) -> Result<(), StepError> {
    let matches = rule.iptables();
    let ours = ["-m", "comment", "--comment", tag, "-j", "DROP"];
    let argv = ["iptables", "--wait", operation, chain].into_iter();
    let argv: Vec<&str> = argv.chain(matches.iter().map(String::as_str)).chain(ours).collect();
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
    fn each_rule_says_what_it_matches_in_both_tools() {
        let some = Rule::Outgoing { link: "overlay".into(), percent: 35 };
        let table = nft_table("t", &some);
        assert_eq!(table.matches("oifname \"overlay\" numgen random mod 100 < 35 counter drop").count(), 2);
        assert!(table.contains("hook forward priority 0;"), "{table}");
        assert!(some.iptables().ends_with(&["--probability".into(), "0.35".into()]));
        let all = Rule::Outgoing { link: "overlay".into(), percent: 100 };
        assert_eq!(all.iptables(), ["-o", "overlay"]);
        assert!(nft_table("t", &all).contains(" oifname \"overlay\" counter drop"));
        assert!(nft_table("t", &Rule::FragNeeded).contains("hook output priority -300;"));
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
