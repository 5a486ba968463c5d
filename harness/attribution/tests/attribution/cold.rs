//! Called in afterwards: everything is told at one moment, and judged in it. What has lasted by the cluster's own times
//! needs no watching; what is over, or has just begun, is no finding.

use crate::{scene::*, scenes::*};
use loopdrill_model::{Cause, Cause::*, Loop, Subject, signal::*};

/// The causes at the very moment at which all was told.
fn at_once(tell: impl FnOnce(&mut Scene)) -> Vec<Cause> {
    let mut s = Scene::called_in();
    tell(&mut s);
    s.causes()
}

/// The same after the few seconds in which containers that crash are listened to.
fn when_heard(tell: impl FnOnce(&mut Scene)) -> Vec<Cause> {
    let mut s = Scene::called_in();
    tell(&mut s);
    assert!(!s.causes().contains(&ApplicationExit), "it is not heard yet");
    s.pass(3.0);
    s.causes()
}

/// A pod that was made so long ago and still waits to be created.
fn creating(s: &mut Scene, age: f64) -> Pod {
    let created = s.ago(age);
    let pod = s.pod("victim", |p| {
        p.created_at = created;
        p.unready_since = Some(created);
    });
    s.waiting(pod, "ContainerCreating", "")
}

/// A pod whose first container waits, since so long, for this reason.
fn waits(s: &mut Scene, age: f64, reason: &str, message: &str) {
    let pod = creating(s, age);
    s.waiting(pod, reason, message);
}

const STS: &str = "MountVolume.SetUp failed for volume \"secrets-store-inline\" : rpc error: code = Unknown desc = failed to mount secrets store objects for pod ns/victim, err: rpc error: code = Unknown desc = Failed fetching parameters: WebIdentityErr: failed to retrieve credentials\ncaused by: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity\n\tstatus code: 403, request id: 74069505-0a96";
const TIMED_OUT: &str = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data default-token-x7k2p]: timed out waiting for the condition";
const MULTI_ATTACH: &str = "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another";

#[test]
fn a_token_service_that_denies_is_identity_s_although_a_mount_fails() {
    let causes = at_once(|s| {
        creating(s, 2460.0);
        s.past_event(("Pod", "victim"), "pod-victim", ("FailedMount", STS), (27, 2460.0, 40.0));
        s.past_event(("Pod", "victim"), "pod-victim", ("FailedMount", TIMED_OUT), (17, 2340.0, 35.0));
    });
    assert_eq!(causes, [TrustDenied]);
}

#[test]
fn a_mount_that_failed_for_minutes_and_one_that_has_just_begun_to() {
    let told = |first: f64| {
        at_once(|s| {
            s.bound_claim("data", "a");
            let claim = s.name("data");
            let mut pod = creating(s, first + 1.0);
            pod.claims.push(claim);
            s.see_pod(pod);
            s.past_event(
                ("Pod", "victim"),
                "pod-victim",
                ("FailedMount", TIMED_OUT),
                (1, first, first.min(18.0)),
            );
        })
    };
    assert_eq!(told(140.0), [AttachOrMountFailed]);
    assert_eq!(told(3.0), []);
}

#[test]
fn a_volume_held_by_a_node_that_is_gone_names_that_node() {
    let mut s = Scene::called_in();
    s.bound_claim("data", "a");
    let (claim, volume) = (s.name("data"), s.name("volume-of-data"));
    let mut pod = creating(&mut s, 140.0);
    pod.claims.push(claim);
    s.see_pod(pod);
    let attachment = Attachment {
        name: "csi-1".into(),
        uid: "csi-1".into(),
        version: 1,
        volume,
        node: "gone".into(),
        attached: true,
        deleting: false,
    };
    s.see(loopdrill_model::Signal::Attachment(attachment));
    s.past_event(("Pod", "victim"), "pod-victim", ("FailedAttachVolume", MULTI_ATTACH), (1, 138.0, 138.0));
    s.past_event(("Pod", "victim"), "pod-victim", ("FailedMount", TIMED_OUT), (1, 18.0, 18.0));
    let found = s.diagnoses();
    assert_eq!(s.causes(), [AttachOrMountFailed]);
    assert_eq!(found[0].chain[0].control_loop, Loop::Compute);
    assert!(is_about(&found[0], "Node", "gone"));
}

#[test]
fn an_attachment_that_went_well_in_the_end_is_no_finding() {
    let causes = at_once(|s| {
        s.bound_claim("data", "a");
        let (claim, created) = (s.name("data"), s.ago(130.0));
        s.pod("victim", |p| {
            p.created_at = created;
            p.claims.push(claim);
        });
        s.past_event(
            ("Pod", "victim"),
            "pod-victim",
            ("FailedAttachVolume", MULTI_ATTACH),
            (1, 128.0, 128.0),
        );
    });
    assert_eq!(causes, [], "the pod runs");
    let causes = at_once(|s| {
        creating(s, 130.0);
        s.past_event(
            ("Pod", "victim"),
            "pod-victim",
            ("FailedAttachVolume", MULTI_ATTACH),
            (1, 128.0, 128.0),
        );
        s.past_event(("Pod", "victim"), "pod-victim", ("SuccessfulAttachVolume", "ok"), (1, 112.0, 112.0));
    });
    assert_eq!(causes, [], "it is attached");
    let causes = at_once(|s| {
        creating(s, 130.0);
        s.past_event(("Pod", "victim"), "pod-victim", ("FailedMount", TIMED_OUT), (1, 128.0, 60.0));
        s.past_event(("Pod", "victim"), "pod-victim", ("Pulling", "ok"), (1, 20.0, 20.0));
    });
    assert_eq!(causes, [], "it is mounted, and a large image is pulled");
}

#[test]
fn addresses_are_the_network_s_in_one_finding_and_two_tries_of_a_start_are_none() {
    let mut s = Scene::called_in();
    for pod in ["a", "b"] {
        let created = s.ago(900.0);
        let new = s.pod(pod, |p| p.created_at = created);
        let uid = new.uid.clone();
        s.waiting(new, "ContainerCreating", "");
        s.past_event(("Pod", pod), &uid, ("FailedCreatePodSandBox", NO_ADDRESS), (61, 840.0, 9.0));
    }
    assert_eq!(s.causes(), [CniFailed], "{:#?}", s.diagnoses());
    assert_eq!(s.diagnoses()[0].control_loop, Loop::Network);
    let causes = at_once(|s| {
        creating(s, 14.0);
        s.past_event(("Pod", "victim"), "pod-victim", ("FailedCreatePodSandBox", NO_ADDRESS), (2, 12.0, 1.0));
    });
    assert_eq!(causes, []);
}

#[test]
fn whose_sandbox_is_not_made_is_told_by_the_text() {
    let told = |words: &str| {
        at_once(|s| {
            creating(s, 600.0);
            let event = ("FailedCreatePodSandBox", words);
            s.past_event(("Pod", "victim"), "pod-victim", event, (30, 590.0, 9.0));
        })
    };
    let image = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image \"registry.k8s.io/pause:3.6\": failed to pull image \"registry.k8s.io/pause:3.6\": failed to do request: Head \"https://registry.k8s.io/v2/pause/manifests/3.6\": dial tcp 10.0.0.1:443: i/o timeout";
    assert_eq!(told(image), [RegistryUnreachable]);
    assert_eq!(told("Failed to create pod sandbox: mkdir /run/x: no space left on device"), [NodePressure]);
    let reserved = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve sandbox name \"victim_ns_uid_0\": name \"victim_ns_uid_0\" is reserved for \"ab\"";
    assert_eq!(told(reserved), [RuntimeFailing]);
    let token = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"1\": plugin type=\"calico\" failed (add): error getting ClusterInformation: connection is unauthorized: Unauthorized";
    assert_eq!(told(token), [TokenInvalid]);
    let unknown = at_once(|s| {
        creating(s, 600.0);
        s.past_event(
            ("Pod", "victim"),
            "pod-victim",
            ("FailedCreatePodSandBox", "it went wrong"),
            (30, 590.0, 9.0),
        );
    });
    assert_eq!(unknown, [RuntimeFailing], "weakly");
}

#[test]
fn pulls_are_told_apart_by_their_last_events() {
    let causes = at_once(|s| {
        waits(s, 3000.0, "ImagePullBackOff", "Back-off pulling image \"registry.example.com/image:1\"");
        let image = "Failed to pull image \"registry.example.com/image:1\": ";
        let first = format!("{image}received unexpected HTTP status: 500 Internal Server Error");
        s.past_event(("Pod", "victim"), "pod-victim", ("Failed", &first), (1, 3000.0, 2990.0));
        let last = format!("{image}Error response from daemon: unauthorized: authentication required");
        s.past_event(("Pod", "victim"), "pod-victim", ("Failed", &last), (9, 2900.0, 200.0));
    });
    assert_eq!(causes, [PullUnauthorized]);
    let full = "rpc error: code = Unknown desc = failed to register layer: Error processing tar file(exit status 1): write /a.rpm: no space left on device";
    assert_eq!(at_once(|s| waits(s, 1700.0, "ErrImagePull", full)), [NodePressure]);
}

#[test]
fn a_container_that_the_runtime_cannot_make_is_not_the_workload_s() {
    let reserved = "failed to reserve container name \"a_b_2\": name \"a_b_2\" is reserved for \"a865\"";
    assert_eq!(at_once(|s| waits(s, 900.0, "CreateContainerError", reserved)), [RuntimeFailing]);
    assert_eq!(
        at_once(|s| waits(s, 900.0, "CreateContainerConfigError", "secret \"db\" not found")),
        [BadConfiguration]
    );
}

#[test]
fn a_node_that_has_not_been_ready_for_minutes_and_why() {
    let told = |seconds: f64, message: &str| {
        at_once(|s| {
            let since = s.ago(seconds);
            s.node("w1", |n| {
                n.ready = "False".into();
                n.ready_reason = "KubeletNotReady".into();
                n.ready_message = message.into();
                n.ready_since = Some(since);
            });
        })
    };
    let network = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";
    assert_eq!(told(600.0, network), [CniFailed]);
    assert_eq!(
        told(600.0, "PLEG is not healthy: pleg was last seen active 3m7s ago; threshold is 3m0s"),
        [RuntimeFailing]
    );
    assert_eq!(told(600.0, ""), [NodeDown]);
    assert_eq!(told(4.0, network), [], "it may just restart");
    let joined = |unready: f64| {
        at_once(|s| {
            let (since, created) = (s.ago(unready), s.ago(60.0));
            s.node("w1", |n| {
                (n.ready, n.ready_since, n.created_at) = ("False".into(), Some(since), created);
                n.ready_message = "PLEG is not healthy: pleg was last seen active 6m ago".into();
            });
        })
    };
    assert_eq!(joined(58.0), [], "it starts");
    assert_eq!(joined(400.0), [RuntimeFailing], "it was registered anew");
}

#[test]
fn evictions_count_while_the_node_is_short_and_not_when_they_are_history() {
    let told = |seconds: f64, short: bool| {
        at_once(|s| {
            let (at, since) = (s.ago(seconds), s.ago(200.0));
            let owner = Subject::new("ReplicaSet", s.name("ns"), s.name("owner"));
            let message = "The node was low on resource: ephemeral-storage. ".to_owned();
            s.pod("victim", |p| {
                p.created_at = at;
                p.phase = "Failed".into();
                p.owner = Some(owner);
                p.containers.clear();
                p.given_up = Some(GivenUp { reason: "Evicted".into(), message });
            });
            if short {
                s.node("w1", |n| {
                    n.troubles = vec![Condition {
                        kind: "DiskPressure".into(),
                        reason: String::new(),
                        message: String::new(),
                        since: Some(since),
                    }];
                });
            }
        })
    };
    assert_eq!(told(180.0, true), [NodePressure], "one finding");
    assert_eq!(told(180.0, false), [], "its place is taken");
    assert_eq!(told(90_000.0, false), []);
}

#[test]
fn a_device_that_is_missing_and_a_node_that_was_too_full() {
    let told = |reason: &str, message: &str| {
        at_once(|s| {
            let at = s.ago(100.0);
            let why = GivenUp { reason: reason.into(), message: message.into() };
            s.pod("victim", |p| {
                p.created_at = at;
                p.phase = "Failed".into();
                p.containers.clear();
                p.given_up = Some(why);
            });
        })
    };
    let device = "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected";
    assert_eq!(told("UnexpectedAdmissionError", device), [DeviceUnavailable]);
    let full = "Pod was rejected: Node didn't have enough resource: cpu, requested: 4000, used: 1500, capacity: 4000";
    assert_eq!(told("OutOfcpu", full), [Exhaustion]);
    assert_eq!(told("NodeShutdown", "Pod was terminated in response to imminent node shutdown."), []);
    assert_eq!(told("Evicted", "The pod was evicted by the descheduler"), []);
}

#[test]
fn what_the_scheduler_says_for_minutes_is_told_weakly_where_our_count_finds_room() {
    let told = |seconds: f64, message: &str| {
        let mut s = Scene::called_in();
        let since = s.ago(seconds);
        s.unscheduled("victim", message, |p| {
            p.created_at = since;
            p.unscheduled.as_mut().expect("it is unscheduled").since = Some(since);
        });
        s.diagnoses()
    };
    let slots = "0/3 nodes are available: 1 node(s) exceed max volume count, 2 node(s) didn't match Pod's node affinity.";
    let found = told(5500.0, slots);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].cause, Some(VolumeLimit));
    assert!(
        found[0].confidence <= 0.6 && found[0].evidence.iter().any(|e| e.value.contains("max volume count"))
    );
    assert_eq!(told(30.0, slots), []);
    let found = told(5500.0, "0/3 nodes are available: 3 node(s) are in a mood.");
    assert_eq!((found.len(), found[0].confidence), (1, 0.4), "words that nobody knows are told as they are");
    assert!(found[0].evidence[0].value.contains("in a mood"));
    assert_eq!(told(30.0, "0/3 nodes are available: 3 node(s) are in a mood."), []);
}

#[test]
fn a_load_balancer_that_is_not_made_is_the_network_s_until_it_is() {
    let words = "Error creating load balancer (will retry): failed to ensure load balancer for service ns/front: could not find any suitable subnets for creating the ELB";
    let told = |count: u32, last: f64, made: bool| {
        at_once(|s| {
            let failed = ("CreatingLoadBalancerFailed", words);
            s.past_event(("Service", "front"), "service-front", failed, (count, 1900.0, last));
            if made {
                s.past_event(
                    ("Service", "front"),
                    "service-front",
                    ("EnsuredLoadBalancer", "ok"),
                    (1, 30.0, 30.0),
                );
            }
        })
    };
    assert_eq!(told(9, 60.0, false), [LoadBalancerFailed]);
    assert_eq!(told(9, 60.0, true), [], "it has come");
    assert_eq!(told(9, 1500.0, false), [], "nobody tries any more");
    assert_eq!(told(1, 60.0, false), [], "once is no pattern");
}

#[test]
fn an_ingress_of_gke_says_which_step_failed() {
    let told = |kind: &str, reason: &str, words: &str| {
        at_once(|s| s.past_event((kind, "front"), "front", (reason, words), (9, 1900.0, 60.0)))
    };
    let quota = "Error syncing to GCP: error running load balancer syncing routine: googleapi: Error 403: Quota 'FORWARDING_RULES' exceeded. Limit: 15.0, quotaExceeded";
    let denied = "Error syncing to GCP: googleapi: Error 403: Required 'compute.firewalls.create' permission for 'projects/p', forbidden";
    let nobody = "Translation failed: invalid ingress spec: could not find service \"shop/web\"";
    assert_eq!(told("Ingress", "Sync", quota), [LoadBalancerFailed]);
    assert_eq!(told("Ingress", "Sync", denied), [IamDenied]);
    assert_eq!(told("Ingress", "Translate", nobody), [BadConfiguration]);
    assert_eq!(told("Certificate", "Sync", quota), [], "others sync, too");
}

#[test]
fn a_claim_that_does_not_grow_is_storage_s_though_its_pod_runs() {
    let words = "error expanding volume \"ns/data\" of plugin \"kubernetes.io/azure-disk\": compute.DisksClient#CreateOrUpdate: Failure sending request: StatusCode=0 -- Original Error: autorest/azure: Service returned an error. Status= Code=\"OperationNotAllowed\" Message=\"Cannot resize disk kubernetes-dynamic-pvc-d69e9034 while it is attached to running VM /subscriptions/0.\"";
    let told = |grows: bool, healed: bool| {
        at_once(|s| {
            s.bound_claim("data", "a");
            let (claim, volume) = (s.name("data"), s.name("volume-of-data"));
            s.pod("db", |p| p.claims.push(claim));
            s.claim("data", |c| {
                c.phase = "Bound".into();
                c.volume = Some(volume);
                c.grows = grows;
            });
            let about = ("PersistentVolumeClaim", "data");
            s.past_event(about, "claim-data", ("VolumeResizeFailed", words), (21, 3960.0, 60.0));
            if healed {
                s.past_event(about, "claim-data", ("VolumeResizeSuccessful", "ok"), (1, 20.0, 20.0));
            }
        })
    };
    assert_eq!(told(true, false), [ResizeFailed]);
    assert_eq!(told(false, false), [], "it has what it asks for");
    assert_eq!(told(true, true), [], "its file system is about to grow");
}

/// A container that ended with this code, `restarts` times, and backs off.
fn backs_off(s: &mut Scene, code: i32, restarts: u32) -> Pod {
    let (created, began, ended) = (s.ago(3000.0), s.ago(130.0), s.ago(100.0));
    let end = Terminated {
        exit_code: code,
        reason: "Error".into(),
        started_at: Some(began),
        finished_at: Some(ended),
    };
    s.pod("victim", |p| {
        p.created_at = created;
        p.unready_since = Some(ended);
        p.ready = false;
        p.tokens.clear();
        let c = &mut p.containers[0];
        (c.ready, c.restarts, c.last) = (false, restarts, Some(end));
        c.state = ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: String::new() };
    })
}

#[test]
fn a_crash_loop_needs_no_watching() {
    assert_eq!(when_heard(|s| drop(backs_off(s, 1, 6))), [ApplicationExit]);
}

/// A container that runs since so long after its last of many ends, with the kubelet's word for the pauses.
fn between_ends(s: &mut Scene, runs: f64, lived: f64) {
    let (created, running) = (s.ago(3000.0), s.ago(runs));
    let (began, ended) = (s.ago(runs + 60.0 + lived), s.ago(runs + 60.0));
    let end = Terminated {
        exit_code: 1,
        reason: "Error".into(),
        started_at: Some(began),
        finished_at: Some(ended),
    };
    let pod = s.pod("victim", |p| {
        p.created_at = created;
        p.tokens.clear();
        let c = &mut p.containers[0];
        (c.restarts, c.last) = (6, Some(end));
        c.state = ContainerState::Running { since: Some(running) };
    });
    let back_off = ("BackOff", "Back-off restarting failed container");
    s.past_event(("Pod", "victim"), &pod.uid, back_off, (54, 2800.0, runs + 5.0));
}

#[test]
fn who_runs_between_two_ends_is_in_a_loop_and_who_has_outlived_them_is_not() {
    assert_eq!(when_heard(|s| between_ends(s, 50.0, 125.0)), [ApplicationExit]);
    assert_eq!(at_once(|s| between_ends(s, 300.0, 2.0)), [], "it is well for five minutes");
    assert_eq!(at_once(|s| between_ends(s, 90_000.0, 125.0)), [], "that was yesterday");
}

#[test]
fn exit_255_is_the_node_s_only_when_the_node_moved() {
    assert_eq!(when_heard(|s| drop(backs_off(s, 255, 6))), [ApplicationExit]);
    let causes = at_once(|s| {
        backs_off(s, 255, 6);
        let up = s.ago(95.0);
        s.node("w1", |n| n.ready_since = Some(up));
    });
    assert_eq!(causes, [], "the node came up after it");
}

#[test]
fn a_probe_that_fails_for_long_needs_no_watching() {
    let told = |words: &str| {
        at_once(|s| {
            let (created, unready) = (s.ago(900.0), s.ago(600.0));
            s.pod("victim", |p| {
                p.created_at = created;
                p.ready = false;
                p.unready_since = Some(unready);
                let c = &mut p.containers[0];
                (c.ready, c.has_readiness_probe) = (false, true);
                c.state = ContainerState::Running { since: Some(created) };
            });
            s.past_event(("Pod", "victim"), "pod-victim", ("Unhealthy", words), (60, 600.0, 200.0));
        })
    };
    assert_eq!(told("Readiness probe failed: HTTP probe failed with statuscode: 503"), [ProbeFailing]);
    let refused = "Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused";
    assert_eq!(told(refused), [ProbeFailing]);
    let waited = "Readiness probe failed: Get \"http://10.0.0.1:80/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    assert_eq!(told(waited), [ProbeFailing], "nobody asks it anything");
    let lost = "Readiness probe failed: Get \"http://10.244.1.48:8181/ready\": dial tcp 10.244.1.48:8181: connect: no route to host";
    assert_eq!(told(lost), [CniFailed]);
}

#[test]
fn a_refusal_of_some_minutes_ago_counts_until_a_pod_comes() {
    let told = |pod_after: bool| {
        at_once(|s| {
            let controller = Controller {
                kind: "StatefulSet".into(),
                namespace: s.name("ns"),
                name: s.name("db"),
                uid: "set".into(),
                version: 1,
                owner: None,
                desired: 1,
                ready: 0,
                troubles: vec![],
                template: Default::default(),
            };
            s.see(loopdrill_model::Signal::Controller(controller));
            let words = "create Pod db-0 in StatefulSet db failed error: Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: Post \"https://w.n.svc:443/m\": x509: certificate has expired or is not yet valid";
            s.past_event(("StatefulSet", "db"), "set", ("FailedCreate", words), (14, 1800.0, 400.0));
            if pod_after {
                let (created, owner) =
                    (s.ago(100.0), Subject::new("StatefulSet", s.name("ns"), s.name("db")));
                s.pod("db-0", |p| (p.created_at, p.owner) = (created, Some(owner)));
            }
        })
    };
    assert_eq!(told(false), [WebhookBlocked]);
    assert_eq!(told(true), []);
}

#[test]
fn an_hour_between_the_clocks_makes_nothing_older_or_younger() {
    let hour = 3600.0;
    let told = |lease_behind: f64, age: f64| {
        at_once(|s| {
            for n in 0..4 {
                let renewed = s.ago(lease_behind + f64::from(n));
                s.see(loopdrill_model::Signal::Lease(Lease {
                    namespace: "kube-node-lease".into(),
                    name: format!("l{n}"),
                    version: 1,
                    holder: "h".into(),
                    renewed_at: Some(renewed),
                }));
            }
            creating(s, age);
            s.past_event(("Pod", "victim"), "pod-victim", ("FailedMount", TIMED_OUT), (1, age, age));
        })
    };
    assert_eq!(told(hour, hour + 3.0), [], "it has just begun");
    assert_eq!(told(hour, hour + 60.0), [AttachOrMountFailed]);
    assert_eq!(told(-hour, 60.0 - hour), [AttachOrMountFailed], "their clock is ahead");
}

#[test]
fn fifty_things_of_one_kind_are_one_finding() {
    let mut s = Scene::called_in();
    for n in 0..50 {
        let name = format!("pod-{n}");
        let created = s.ago(900.0);
        let new = s.pod(&name, |p| p.created_at = created);
        let uid = new.uid.clone();
        s.waiting(new, "ContainerCreating", "");
        s.past_event(("Pod", &name), &uid, ("FailedCreatePodSandBox", NO_ADDRESS), (61, 840.0, 9.0));
    }
    assert_eq!(s.causes(), [CniFailed]);
}

#[test]
fn a_node_that_is_being_made_is_waited_for() {
    let told = |last: f64| {
        let mut s = Scene::called_in();
        let since = s.ago(300.0);
        s.unscheduled("victim", INSUFFICIENT, |p| {
            p.requests.cpu_millis = 5000;
            p.unscheduled.as_mut().expect("it is unscheduled").since = Some(since);
        });
        s.past_event(
            ("Pod", "victim"),
            "pod-victim",
            ("TriggeredScaleUp", "pod triggered scale-up"),
            (1, last, last),
        );
        if let Some(loopdrill_model::Signal::Event(e)) = s.told.last_mut().map(|o| &mut o.signal) {
            e.warning = false;
        }
        s.causes()
    };
    assert_eq!(told(40.0), []);
    assert_eq!(told(250.0), [Exhaustion], "it did not come");
}

#[test]
fn jobs_that_failed_are_history_when_they_are_done_or_old() {
    let told = |ended: f64, done: bool| {
        when_heard(|s| {
            let job = Subject::new("Job", s.name("ns"), s.name("job"));
            for pod in ["a", "b"] {
                let (created, began, at) = (s.ago(ended + 30.0), s.ago(ended + 20.0), s.ago(ended));
                let owner = job.clone();
                let end = Terminated {
                    exit_code: 1,
                    reason: "Error".into(),
                    started_at: Some(began),
                    finished_at: Some(at),
                };
                s.pod(pod, |p| {
                    p.created_at = created;
                    p.owner = Some(owner);
                    p.phase = "Failed".into();
                    p.ready = false;
                    p.tokens.clear();
                    p.containers[0].state = ContainerState::Terminated(end);
                });
            }
            s.see(loopdrill_model::Signal::Controller(Controller {
                kind: "Job".into(),
                namespace: job.namespace.clone(),
                name: job.name.clone(),
                uid: "job".into(),
                version: 1,
                owner: None,
                desired: u32::from(!done),
                ready: 0,
                troubles: vec![],
                template: Default::default(),
            }));
        })
    };
    assert_eq!(told(100.0, false), [ApplicationExit]);
    assert_eq!(told(100.0, true), [], "a later pod did it");
    assert_eq!(told(90_000.0, false), [], "that was yesterday");
}

#[test]
fn a_container_that_the_runtime_cannot_start_is_told_by_its_event() {
    let told = |words: &str| {
        at_once(|s| {
            let pod = backs_off(s, 128, 6);
            let mut pod = s.see_pod(pod);
            pod.containers[0].last.as_mut().expect("it ended").reason = "StartError".into();
            s.see_pod(pod);
            s.past_event(("Pod", "victim"), "pod-victim", ("Failed", words), (6, 2000.0, 100.0));
        })
    };
    let runtime = "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to create new parent process: namespace path: lstat /proc/0/ns/ipc: no such file or directory: unknown";
    assert_eq!(told(runtime), [RuntimeFailing]);
    let missing = "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"ecko\": executable file not found in $PATH: unknown";
    assert_eq!(told(missing), [BadConfiguration]);
}

#[test]
fn many_findings_of_one_cause_are_one_and_a_few_are_few() {
    let told = |nodes: usize| {
        let mut s = Scene::called_in();
        for n in 0..nodes {
            let since = s.ago(600.0);
            let node = format!("node-{n}");
            s.node("w1", |w| {
                w.uid.clone_from(&node);
                w.name = node;
                w.ready = "Unknown".into();
                w.ready_since = Some(since);
            });
        }
        s.diagnoses()
    };
    assert_eq!(told(3).len(), 3);
    let found = told(20);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].subjects.len(), 20);
}

#[test]
fn a_dns_without_servers_is_found_although_nobody_asks_it() {
    let told = |pods: bool| {
        at_once(|s| {
            let created = s.ago(9000.0);
            let labels: std::collections::BTreeMap<_, _> =
                [("k8s-app".to_owned(), "kube-dns".to_owned())].into();
            s.see(loopdrill_model::Signal::Service(Service {
                namespace: "kube-system".into(),
                name: "kube-dns".into(),
                uid: "dns".into(),
                version: 1,
                selector: labels.clone(),
                created_at: Some(created),
                awaits_load_balancer: false,
                addresses: vec![],
                ports: vec![],
                ..Service::default()
            }));
            s.see(loopdrill_model::Signal::Endpoints(Endpoints {
                namespace: "kube-system".into(),
                service: "kube-dns".into(),
                ready: 0,
                not_ready: u32::from(pods),
            }));
            if pods {
                s.pod("dns", |p| (p.namespace, p.labels) = ("kube-system".into(), labels.into()));
            }
        })
    };
    assert_eq!(told(false), [DnsFailure]);
    assert_eq!(told(true), [], "one is coming");
}

#[test]
fn who_is_slow_to_start_is_waited_for_and_so_is_a_node_that_an_autoscaler_takes_away() {
    let starts = |seconds: f64| {
        at_once(|s| {
            let created = s.ago(seconds);
            s.pod("victim", |p| {
                p.created_at = created;
                p.ready = false;
                p.unready_since = Some(created);
                let c = &mut p.containers[0];
                (c.ready, c.has_readiness_probe) = (false, true);
                c.state = ContainerState::Running { since: Some(created) };
            });
        })
    };
    assert_eq!(starts(70.0), []);
    assert_eq!(starts(400.0), [ProbeFailing]);
    let goes = |seconds: f64| {
        at_once(|s| {
            let since = s.ago(seconds);
            s.node("w1", |n| {
                n.ready = "Unknown".into();
                n.ready_since = Some(since);
                n.taints.push(Taint {
                    key: "ToBeDeletedByClusterAutoscaler".into(),
                    value: "1".into(),
                    effect: "NoSchedule".into(),
                });
            });
        })
    };
    assert_eq!(goes(60.0), []);
    assert_eq!(goes(900.0), [NodeDown]);
}

#[test]
fn pods_that_find_no_node_ready_have_the_reason_of_the_nodes() {
    let mut s = Scene::called_in();
    let since = s.ago(900.0);
    for node in ["w1", "w2"] {
        s.node(node, |n| {
            n.ready = "False".into();
            n.ready_message = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized".into();
            n.ready_since = Some(since);
        });
    }
    let waits = s.ago(600.0);
    s.unscheduled("victim", "0/3 nodes are available: 3 node(s) had untolerated taint(s).", |p| {
        p.unscheduled.as_mut().expect("it is unscheduled").since = Some(waits);
    });
    assert_eq!(s.causes(), [CniFailed], "{:#?}", s.diagnoses());
    assert!(s.diagnoses()[0].chain.iter().any(|l| l.control_loop == Loop::Compute));
}

/// A container that ends again and again and leaves a log of so many bytes.
fn ends_without_a_word(s: &mut Scene, bytes: u64, change: impl FnOnce(&mut Pod)) {
    let mut pod = backs_off(s, 1, 6);
    pod.tokens = vec![String::new()];
    change(&mut pod);
    pod.version += 1;
    let log = Log {
        pod: Subject::new("Pod", &pod.namespace, &pod.name),
        uid: pod.uid.clone(),
        container: pod.containers[0].name.clone(),
        restarts: 6,
        bytes,
    };
    s.see_pod(pod);
    s.see(loopdrill_model::Signal::Log(log));
}

/// A Role to which nobody is bound.
fn unbound_role(s: &mut Scene) {
    s.see(loopdrill_model::Signal::Grant(Grant {
        binding: Subject::new("Role", s.name("ns"), s.name("reader")),
        uid: "role".into(),
        version: 1,
        account: Grant::nobody(&s.name("ns")),
        rules: vec![Rule {
            verbs: vec!["get".into()],
            groups: vec![String::new()],
            resources: vec!["configmaps".into()],
            names: vec![],
        }],
    }));
}

#[test]
fn a_right_that_was_withdrawn_before_anybody_looked() {
    let told = |role: bool, has: &[&str], allowed: Option<bool>, bytes: u64| {
        when_heard(|s| {
            ends_without_a_word(s, bytes, |_| {});
            if role {
                unbound_role(s);
            }
            if !has.is_empty() {
                s.grant("binding", has);
            }
            allowed.into_iter().for_each(|allowed| s.may("get", allowed));
            s.pass(1.0);
        })
    };
    assert_eq!(told(true, &[], Some(false), 0), [RbacDenied]);
    assert_eq!(told(false, &[], Some(false), 0), [ApplicationExit], "nothing says that it ever could");
    assert_eq!(told(true, &[], None, 0), [ApplicationExit], "the API server was not asked");
    assert_eq!(told(true, &[], Some(true), 0), [ApplicationExit], "it may");
    assert_eq!(told(true, &["list"], Some(false), 0), [ApplicationExit], "it has what it needs");
    assert_eq!(told(true, &[], Some(false), 99), [ApplicationExit], "it says why it ends");
}

#[test]
fn a_token_for_another_audience_in_the_place_of_the_api_s() {
    let told = |place: &str, bytes: u64| {
        when_heard(|s| {
            ends_without_a_word(s, bytes, |p| {
                p.tokens = vec!["vault".into()];
                p.ways.api_audience = place.into();
            });
        })
    };
    assert_eq!(told("vault", 0), [TokenInvalid]);
    assert_eq!(told("", 0), [ApplicationExit], "it is shown to whom it is for");
    assert_eq!(told("vault", 99), [ApplicationExit], "it says why it ends");
}

#[test]
fn an_api_that_nobody_answers_is_the_control_plane_s_unless_its_pods_are_ill() {
    let service = || Subject::new("Service", "ns", "metrics");
    let told = |since: Option<f64>, service: Option<Subject>| {
        at_once(|s| {
            let since = since.map(|seconds| s.ago(seconds));
            aggregated_api(s, service, since);
        })
    };
    assert_eq!(told(Some(600.0), Some(service())), [AggregatedApiDown]);
    assert_eq!(told(Some(20.0), Some(service())), [], "its pods are replaced");
    assert_eq!(told(None, Some(service())), [], "it answers");
    assert_eq!(told(Some(600.0), None), [], "the API server answers it itself");

    let mut s = Scene::called_in();
    let labels: std::collections::BTreeMap<_, _> = [("app".to_owned(), "metrics".to_owned())].into();
    let (since, created) = (s.ago(600.0), s.ago(9000.0));
    let behind = s.pod("metrics-1", |p| {
        (p.created_at, p.ready, p.unready_since) = (created, false, Some(since));
        p.labels = labels.clone().into();
    });
    let namespace = behind.namespace.clone();
    s.waiting(behind, "ImagePullBackOff", "Back-off pulling image \"metrics:1\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"metrics:1\": not found");
    s.see(loopdrill_model::Signal::Service(Service {
        namespace: namespace.clone(),
        name: "metrics".into(),
        uid: "metrics".into(),
        version: 1,
        selector: labels,
        created_at: Some(created),
        ..Service::default()
    }));
    aggregated_api(&mut s, Some(Subject::new("Service", namespace, "metrics")), Some(since));
    let found = s.diagnoses();
    assert_eq!(s.causes(), [ImageNotFound]);
    assert!(found[0].chain.iter().any(|step| step.control_loop == Loop::ControlPlane), "{found:#?}");
}

#[test]
fn a_flood_is_seen_by_who_is_called_in_and_a_busy_api_server_that_serves_all_is_not_one() {
    let told = |rate: u32, slow: u32, refused: u32, hidden: bool| {
        let mut s = Scene::called_in();
        for second in 0..5_u32 {
            if !hidden {
                fsyncs(&mut s, u64::from(1000 + 30 * second), 0);
            }
            requests(&mut s, u64::from(100_000 + rate * second), u64::from(slow * second));
            let refused = f64::from(refused * second);
            s.metric("apiserver", "apiserver_flowcontrol_rejected_requests_total", &[], refused);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(2000, 200, 0, false), [ApiOverload], "slow");
    assert_eq!(told(2000, 0, 20, false), [ApiOverload], "refused");
    assert_eq!(told(2000, 0, 0, false), [], "many, and all are served");
    assert_eq!(told(100, 10, 0, false), [], "slow, and who knows why");
    assert_eq!(told(2000, 200, 20, true), [], "it may be etcd that nobody sees");
}

#[test]
fn of_two_ends_in_a_row_one_for_lack_of_memory_names_the_other_too() {
    let told = |first: &str, code: i32| {
        let mut s = Scene::lab();
        let pod = s.pod("victim", |p| p.containers[0].memory_limit_bytes = Some(64 * MI));
        let pod = s.dies(pod, 137, first, 0);
        s.pass(1.0);
        let pod = s.runs_again(pod);
        s.pass(1.0);
        s.dies(pod, code, "Error", 1);
        s.pass(1.0);
        s.causes()
    };
    assert_eq!(told("OOMKilled", 137), [OutOfMemory]);
    assert!(!told("Error", 137).contains(&OutOfMemory), "nobody spoke of memory");
    assert!(!told("OOMKilled", 1).contains(&OutOfMemory), "the last end was its own");
}

#[test]
fn a_machine_that_nobody_reaches_is_gone_and_one_whose_kubelet_is_silent_is_not() {
    let told = |machine: bool, others: bool| {
        let mut s = Scene::called_in();
        lose_node(&mut s, "w1");
        for (node, works) in [("w1", machine), ("w2", others)] {
            let name = s.name(node);
            let lost = (!works).then(|| "it does not run".to_owned());
            let name = loopdrill_model::Source::node(&name);
            s.see(loopdrill_model::Signal::SourceState(SourceState { name, lost }));
        }
        let kubelet = loopdrill_model::Source::metrics(&format!("kubelet/{}", s.name("w1")));
        let lost = Some("no answer within 4s".to_owned());
        s.see(loopdrill_model::Signal::SourceState(SourceState { name: kubelet, lost }));
        s.pass(1.0);
        let found = s.diagnoses();
        assert_eq!(s.causes(), [NodeDown]);
        found[0].evidence.iter().any(|e| e.signal.starts_with("a way to the machine"))
    };
    assert!(told(false, true));
    assert!(!told(true, true), "only its kubelet is silent");
    assert!(!told(false, false), "no machine is in reach, so that says nothing of this one");
}

#[test]
fn an_etcd_that_was_slow_when_the_look_began_may_have_done_harm_a_little_before() {
    let told = |before: f64| {
        let mut s = Scene::called_in();
        let (created, began, ended) = (s.ago(9000.0), s.ago(before + 40.0), s.ago(before));
        let end = Terminated {
            exit_code: 1,
            reason: "Error".into(),
            started_at: Some(began),
            finished_at: Some(ended),
        };
        s.pod("victim", |p| {
            p.created_at = created;
            (p.ready, p.unready_since) = (false, Some(ended));
            p.tokens.clear();
            let c = &mut p.containers[0];
            (c.ready, c.restarts, c.last) = (false, 2, Some(end.clone()));
            c.state = ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: String::new() };
        });
        for second in 1..=5 {
            fsyncs(&mut s, 1000, second);
            requests(&mut s, 1000, 2 * second);
            s.pass(1.0);
        }
        s.causes()
    };
    assert_eq!(told(14.0), [EtcdDiskBound]);
    assert_eq!(told(300.0), [EtcdDiskBound, ApplicationExit], "that is older than what anybody saw of etcd");
}

#[test]
fn what_ended_again_before_its_node_fell_silent_is_no_end_of_the_node() {
    let told = |ended_before_silence: f64, exit_code: i32, restarts: u32, slow: bool| {
        let mut s = Scene::called_in();
        let ended = s.ago(3.0 + ended_before_silence);
        let (created, began, silent) = (s.ago(60.0), s.ago(40.0), s.ago(3.0));
        let end = |finished_at| Terminated {
            exit_code,
            reason: "Error".into(),
            started_at: Some(began),
            finished_at: Some(finished_at),
        };
        let (last, first) = (end(ended), end(s.ago(45.0)));
        let pod = s.pod("victim", |p| {
            p.created_at = created;
            (p.ready, p.unready_since) = (false, Some(ended));
            p.tokens.clear();
            let c = &mut p.containers[0];
            (c.ready, c.restarts, c.last) = (false, restarts, (restarts > 0).then(|| first.clone()));
            c.state = ContainerState::Terminated(last);
        });
        assert_eq!(pod.node, Some(s.name("w1")));
        s.node("w1", |n| {
            (n.ready, n.ready_since) = ("Unknown".into(), Some(silent));
            n.ready_reason = "NodeStatusUnknown".into();
        });
        for second in 1..=14 {
            if slow {
                fsyncs(&mut s, 1000, second);
                requests(&mut s, 1000, 2 * second);
            }
            s.pass(1.0);
        }
        let found = s.diagnoses();
        let steps: Vec<_> = found[0].chain.iter().map(|l| l.what.clone()).collect();
        (s.causes(), steps.contains(&ApplicationExit.title().to_owned()))
    };
    assert_eq!(told(18.0, 1, 1, true), (vec![EtcdDiskBound], true));
    assert_eq!(told(18.0, 1, 1, false), (vec![NodeDown], true));
    assert_eq!(told(18.0, 1, 0, false), (vec![NodeDown], false), "it ended once");
    assert_eq!(
        told(18.0, 137, 1, false),
        (vec![NodeDown], false),
        "who is killed is killed by its node, too"
    );
    assert_eq!(told(-2.0, 1, 1, false), (vec![NodeDown], false), "it ended with its node");
}
