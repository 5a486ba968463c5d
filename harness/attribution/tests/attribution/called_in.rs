//! More of what somebody finds who is called in afterwards: what was left behind, what has healed, and what stays stuck.

use crate::scene::*;
use loopdrill_model::{Cause, Cause::*, Signal, Subject, signal::*};

const VICTIM: (&str, &str) = ("Pod", "victim");

/// The causes in one look, as long as `--once` takes to hear what containers said.
fn looked(tell: impl FnOnce(&mut Scene)) -> Vec<Cause> {
    let mut s = Scene::called_in();
    tell(&mut s);
    s.pass(3.5);
    s.causes()
}

/// A pod that has been created for so long.
fn creating(s: &mut Scene, age: f64, change: impl FnOnce(&mut Pod)) {
    let created = s.ago(age);
    let pod = s.pod("victim", |p| {
        p.created_at = created;
        p.unready_since = Some(created);
        change(p);
    });
    s.waiting(pod, "ContainerCreating", "");
}

/// A pod that has run for a day.
fn running(s: &mut Scene, change: impl FnOnce(&mut Pod)) {
    let created = s.ago(90_000.0);
    s.pod("victim", |p| {
        p.created_at = created;
        p.tokens.clear();
        p.containers[0].state = ContainerState::Running { since: Some(created) };
        change(p);
    });
}

/// A pod of the set that its kubelet gave up so long ago.
fn given_up(s: &mut Scene, pod: &str, owner: &Subject, age: f64, (reason, message): (&str, &str)) {
    let (at, owner) = (s.ago(age), owner.clone());
    let why = GivenUp { reason: reason.into(), message: message.into() };
    s.pod(pod, |p| {
        p.created_at = at;
        p.owner = Some(owner);
        p.phase = "Failed".into();
        p.containers.clear();
        p.given_up = Some(why);
    });
}

fn set(s: &mut Scene, kind: &str, name: &str, desired: u32, ready: u32) -> Subject {
    let set = Controller {
        kind: kind.into(),
        namespace: s.name("ns"),
        name: s.name(name),
        uid: format!("set-{name}"),
        version: 1,
        owner: None,
        desired,
        ready,
        troubles: vec![],
        template: Default::default(),
    };
    let subject = Subject::new(kind, &set.namespace, &set.name);
    s.see(Signal::Controller(set));
    subject
}

#[test]
fn who_is_created_for_long_and_of_whom_nobody_says_why_is_no_finding() {
    let with_claim = |s: &mut Scene, age: f64| {
        s.bound_claim("data", "a");
        let claim = s.name("data");
        creating(s, age, |p| p.claims.push(claim));
    };
    assert_eq!(looked(|s| with_claim(s, 3400.0)), []);
    assert_eq!(looked(|s| creating(s, 3400.0, |_| {})), []);
    let pulling = looked(|s| {
        creating(s, 1500.0, |_| {});
        s.past_event(VICTIM, "pod-victim", ("Pulling", "Pulling image"), (1, 1495.0, 1495.0));
    });
    assert_eq!(pulling, [], "a very large image");
}

#[test]
fn a_mount_that_failed_an_hour_ago_and_one_that_has_failed_for_an_hour() {
    let words = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: timed out waiting for the condition";
    let healed = looked(|s| {
        running(s, |_| {});
        s.past_event(VICTIM, "pod-victim", ("FailedMount", words), (20, 7200.0, 3500.0));
    });
    assert_eq!(healed, []);
    let fails = looked(|s| {
        creating(s, 3400.0, |_| {});
        s.past_event(VICTIM, "pod-victim", ("FailedMount", words), (24, 3300.0, 100.0));
    });
    assert_eq!(fails, [AttachOrMountFailed]);
}

#[test]
fn a_node_that_is_not_ready_for_hours_and_one_that_came_back() {
    let not_ready = |cordoned: bool| {
        looked(|s| {
            let since = s.ago(21_600.0);
            s.node("w1", |n| {
                n.ready = "Unknown".into();
                n.ready_reason = "NodeStatusUnknown".into();
                n.ready_message = "Kubelet stopped posting node status.".into();
                n.ready_since = Some(since);
                n.unschedulable = cordoned;
            });
        })
    };
    assert_eq!(not_ready(false), [NodeDown]);
    assert_eq!(not_ready(true), [NodeDown]);
    let back = looked(|s| {
        let since = s.ago(600.0);
        s.node("w1", |n| n.ready_since = Some(since));
        let words = ("NodeNotReady", "Node is not ready");
        s.past_event(("Node", "w1"), "node-w1", words, (3, 4000.0, 700.0));
        running(s, |_| {});
    });
    assert_eq!(back, []);
}

#[test]
fn restarts_of_last_week_of_an_hour_ago_and_of_now() {
    let ended = |reason: &str, code: i32, ago: f64, restarts: u32, up: bool| {
        looked(|s| {
            let (began, at) = (s.ago(ago + 50.0), s.ago(ago));
            let end = Terminated {
                exit_code: code,
                reason: reason.into(),
                started_at: Some(began),
                finished_at: Some(at),
            };
            running(s, |p| {
                let c = &mut p.containers[0];
                (c.restarts, c.last) = (restarts, Some(end));
                c.state = ContainerState::Running { since: Some(at) };
                if !up {
                    c.state =
                        ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: String::new() };
                    (c.ready, p.ready, p.unready_since) = (false, false, Some(at));
                }
            });
        })
    };
    assert_eq!(ended("OOMKilled", 137, 600_000.0, 3, true), []);
    assert_eq!(ended("OOMKilled", 137, 3600.0, 1, true), []);
    assert_eq!(ended("OOMKilled", 137, 100.0, 9, false), [OutOfMemory]);
    assert_eq!(ended("Unknown", 255, 3600.0, 1, true), [], "its node was started anew");
}

#[test]
fn a_rollout_that_moves_is_no_finding() {
    let causes = looked(|s| {
        let owner = set(s, "ReplicaSet", "web-2", 2, 1);
        for (name, age, ready) in [("new", 20.0, false), ("old", 90_000.0, true)] {
            let (at, owner) = (s.ago(age), owner.clone());
            s.pod(name, |p| {
                (p.created_at, p.owner, p.ready) = (at, Some(owner), ready);
                p.unready_since = (!ready).then_some(at);
                let c = &mut p.containers[0];
                (c.ready, c.has_readiness_probe) = (ready, true);
                c.state = ContainerState::Running { since: Some(at) };
            });
        }
        let words = "Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused";
        s.past_event(("Pod", "new"), "pod-new", ("Unhealthy", words), (3, 15.0, 2.0));
    });
    assert_eq!(causes, []);
}

#[test]
fn pods_that_were_given_up_count_where_they_are_missed_or_many() {
    const FULL: (&str, &str) = (
        "OutOfpods",
        "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 110, capacity: 110",
    );
    let once = |age: f64, ready: u32, why: (&str, &str)| {
        looked(|s| {
            let owner = set(s, "ReplicaSet", "web", 1, ready);
            given_up(s, "victim", &owner, age, why);
        })
    };
    assert_eq!(once(170_000.0, 1, FULL), [], "two days ago, and another one runs");
    let device = "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu, which is unexpected";
    assert_eq!(once(40.0, 1, ("UnexpectedAdmissionError", device)), [], "the node has just started");
    assert_eq!(once(100.0, 0, ("UnexpectedAdmissionError", device)), [DeviceUnavailable]);
    let cache = "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Gi\". ";
    assert_eq!(once(100.0, 0, ("Evicted", cache)), [LocalStorageExceeded]);
    let twelve = looked(|s| {
        let owner = set(s, "ReplicaSet", "web", 1, 1);
        for n in 0..12 {
            given_up(s, &format!("v{n}"), &owner, 200.0 + f64::from(n), FULL);
        }
    });
    assert_eq!(twelve, [Exhaustion]);
}

#[test]
fn what_waits_to_be_placed_and_what_somebody_holds_back() {
    let waits = |reason: &str, words: &str| {
        looked(|s| {
            let since = s.ago(3600.0);
            s.unscheduled("victim", words, |p| {
                p.created_at = since;
                let why = p.unscheduled.as_mut().expect("it is unscheduled");
                (why.since, why.reason) = (Some(since), reason.into());
            });
        })
    };
    let slots = "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) exceed max volume count. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.";
    assert_eq!(waits("Unschedulable", slots), [VolumeLimit]);
    let gated = "Scheduling is blocked due to non-empty scheduling gates";
    assert_eq!(waits("SchedulingGated", gated), []);
}

/// A claim that is bound, asks for more, and has had this condition for so long; `used` by a pod that runs.
fn grows(s: &mut Scene, kind: &str, message: &str, (age, used): (f64, bool)) {
    s.bound_claim("data", "a");
    let (claim, volume, since) = (s.name("data"), s.name("volume-of-data"), s.ago(age));
    if used {
        running(s, |p| p.claims.push(claim));
    }
    let condition =
        Condition { kind: kind.into(), reason: String::new(), message: message.into(), since: Some(since) };
    s.claim("data", |c| {
        c.phase = "Bound".into();
        c.volume = Some(volume);
        c.grows = true;
        c.conditions = vec![condition];
    });
}

#[test]
fn a_file_system_that_waits_for_its_pod_to_start_anew() {
    let told = |age: f64, used: bool| {
        let words = "Waiting for user to (re-)start a pod to finish file system resize of volume on node.";
        looked(|s| grows(s, "FileSystemResizePending", words, (age, used)))
    };
    assert_eq!(told(10_800.0, true), [ResizeFailed]);
    assert_eq!(told(200.0, true), [], "the kubelet is at it");
    assert_eq!(told(10_800.0, false), [], "it grows when a pod comes");
    let words = "rpc error: code = InvalidArgument desc = failed to expand volume: the disk has a limit";
    assert_eq!(looked(|s| grows(s, "ControllerResizeError", words, (3600.0, false))), [ResizeFailed]);
}

#[test]
fn events_on_services_and_their_like() {
    let told = |kind: &str, reason: &str, words: &str| {
        looked(|s| s.past_event((kind, "front"), "front", (reason, words), (9, 1900.0, 60.0)))
    };
    let denied = "Failed deploy model due to operation error Elastic Load Balancing v2: CreateLoadBalancer, https response error StatusCode: 403, RequestID: 1, api error AccessDenied: User: arn:aws:sts::1:assumed-role/lb/1 is not authorized to perform: elasticloadbalancing:AddTags";
    assert_eq!(told("Service", "FailedDeployModel", denied), [IamDenied]);
    let subnets = "Failed build model due to couldn't auto-discover subnets: unable to resolve at least one subnet (0 match VPC and tags: [kubernetes.io/role/elb])";
    assert_eq!(told("Ingress", "FailedBuildModel", subnets), [LoadBalancerFailed]);
    let nodes = "There are no available nodes for LoadBalancer";
    assert_eq!(told("Service", "UnAvailableLoadBalancer", nodes), [LoadBalancerFailed]);
    let group = "expect exactly one securityGroup tagged with kubernetes.io/cluster/c for eni eni-1, got: [sg-1 sg-2]";
    assert_eq!(told("TargetGroupBinding", "FailedNetworkReconcile", group), [LoadBalancerFailed]);
    let passing = "Error updating Endpoint Slices for Service ns/front: node \"w9\" not found";
    assert_eq!(told("Service", "FailedToUpdateEndpointSlices", passing), []);
}

#[test]
fn pods_that_cannot_be_ended() {
    let told = |words: &str, first: f64| {
        looked(|s| {
            running(s, |p| p.deleting = true);
            s.past_event(VICTIM, "pod-victim", ("FailedKillPod", words), (40, first, 20.0));
        })
    };
    let network = "error killing pod: failed to \"KillPodSandbox\" for \"1\" with KillPodSandboxError: \"rpc error: code = Unknown desc = failed to destroy network for sandbox \\\"a\\\": plugin type=\\\"calico\\\" failed (delete): error getting ClusterInformation: Get \\\"https://10.96.0.1:443/x\\\": dial tcp 10.96.0.1:443: i/o timeout\"";
    assert_eq!(told(network, 10_000.0), [CniFailed]);
    let runtime = "error killing pod: failed to \"KillContainer\" for \"app\" with KillContainerError: \"rpc error: code = DeadlineExceeded desc = an error occurs during waiting for container \\\"a\\\" to be killed: wait container \\\"a\\\": context deadline exceeded\"";
    assert_eq!(told(runtime, 10_000.0), [RuntimeFailing]);
    assert_eq!(told(runtime, 60.0), [], "it may take its time");
}

#[test]
fn a_set_that_may_not_make_its_claim() {
    let words = "create Claim data-db-0 for Pod db-0 in StatefulSet db failed error: persistentvolumeclaims \"data-db-0\" is forbidden: exceeded quota: q, requested: requests.storage=10Gi, used: requests.storage=90Gi, limited: requests.storage=95Gi";
    let causes = looked(|s| {
        set(s, "StatefulSet", "db", 1, 0);
        let quota = Quota { namespace: s.name("ns"), name: s.name("q"), uid: "quota".into(), version: 1 };
        s.see(Signal::Quota(quota));
        s.past_event(("StatefulSet", "db"), "set-db", ("FailedCreate", words), (14, 1800.0, 100.0));
    });
    assert_eq!(causes, [QuotaExceeded]);
}

#[test]
fn images_of_which_only_the_status_is_left_and_secrets_that_nobody_needs() {
    let waits = |message: &str, tell: fn(&mut Scene)| {
        looked(|s| {
            let created = s.ago(20_000.0);
            let pod = s.pod("victim", |p| (p.created_at, p.unready_since) = (created, Some(created)));
            s.waiting(pod, "ImagePullBackOff", message);
            tell(s);
        })
    };
    let status = "Back-off pulling image \"registry.example.com/image:1\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example.com/image:1\": failed to resolve reference \"registry.example.com/image:1\": registry.example.com/image:1: not found";
    assert_eq!(waits(status, |_| {}), [ImageNotFound]);
    let secret: fn(&mut Scene) = |s| {
        let words = "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.";
        let event = ("FailedToRetrieveImagePullSecret", words);
        s.past_event(VICTIM, "pod-victim", event, (50, 19_000.0, 20.0));
    };
    let denied = "Back-off pulling image \"registry.example.com/image:1\": ErrImagePull: failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://registry.example.com/token: 401 Unauthorized";
    assert_eq!(waits(denied, secret), [PullUnauthorized]);
    let comes = looked(|s| {
        running(s, |_| {});
        secret(s);
    });
    assert_eq!(comes, [], "the image comes without it");
}

#[test]
fn what_kubelets_and_nodes_tell_in_passing() {
    let causes = looked(|s| {
        running(s, |p| p.containers[0].restarts = 4);
        for (reason, words, first, last) in [
            (
                "DNSConfigForming",
                "Nameserver limits were exceeded, some nameservers have been omitted",
                80_000.0,
                20.0,
            ),
            ("Preempted", "Preempted by pod 1 on node w1", 300.0, 300.0),
            (
                "Unhealthy",
                "Liveness probe failed: Get \"http://10.0.0.1/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                80_000.0,
                3400.0,
            ),
        ] {
            s.past_event(VICTIM, "pod-victim", (reason, words), (80, first, last));
        }
        for (reason, words) in [
            ("InvalidDiskCapacity", "invalid capacity 0 on image filesystem"),
            ("Rebooted", "Node w1 has been rebooted"),
        ] {
            s.past_event(("Node", "w1"), "node-w1", (reason, words), (1, 3000.0, 3000.0));
        }
    });
    assert_eq!(causes, []);
}
