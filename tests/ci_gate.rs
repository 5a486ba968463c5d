//! What `ci/gate` offers to pipelines is what their systems take, undoes whatever happens, and keeps the verdict. Needs a
//! shell, Python's pip and Go, with which `ci/gate/schemas` fetches the systems' own schemas; no cluster.

mod support;

use loopdrill_model::{DrillReport, Expectation, FaultId, Gate, Outcome, RunReport, Timestamp, Versions};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use support::text;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The documents of a file in ci/gate.
fn documents(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(root().join("ci/gate").join(name)).expect("it is there");
    let documents = serde_yaml::Deserializer::from_str(&text);
    documents.map(|document| Value::deserialize(document).expect("YAML")).collect()
}

/// Where the schemas are; that they cannot be had is a failure where nothing may be skipped.
fn schemas() -> Option<PathBuf> {
    let output = Command::new(root().join("ci/gate/schemas")).output().expect("bash runs");
    let required = env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0");
    if output.status.success() {
        return Some(text(&output.stdout).trim().into());
    }
    assert!(!required, "the schemas cannot be had: {}", text(&output.stderr));
    eprintln!("skipped: the schemas cannot be had: {}", text(&output.stderr));
    None
}

fn schema(folder: &Path, name: &str) -> Value {
    let text = fs::read_to_string(folder.join(name)).expect("it was fetched");
    // YAML holds JSON.
    serde_yaml::from_str(&text).expect("a schema")
}

/// The schema of a custom resource, as strict as `kubectl apply --validate=strict`: what is not in it is refused.
fn of_custom_resource(folder: &Path, name: &str, document: &Value) -> Value {
    let mut crd = schema(folder, name);
    let api_version = document["apiVersion"].as_str().expect("a version");
    let version = api_version.rsplit('/').next().expect("a version");
    assert_eq!(api_version, format!("{}/{version}", crd["spec"]["group"].as_str().expect("a group")));
    assert_eq!(document["kind"], crd["spec"]["names"]["kind"]);
    let versions = crd["spec"]["versions"].as_array_mut().expect("versions");
    let served = versions.iter_mut().find(|v| v["name"] == version && v["served"] == true);
    let mut schema = served.expect("the version is served")["schema"]["openAPIV3Schema"].take();
    refuse_unknown_fields(&mut schema);
    schema
}

fn refuse_unknown_fields(schema: &mut Value) {
    let is_open = |of: &Map<String, Value>| {
        of.contains_key("additionalProperties") || of.contains_key("x-kubernetes-preserve-unknown-fields")
    };
    match schema {
        Value::Object(map) => {
            if map.get("properties").is_some_and(Value::is_object) && !is_open(map) {
                map.insert("additionalProperties".into(), false.into());
            }
            map.values_mut().for_each(refuse_unknown_fields);
        }
        Value::Array(all) => all.iter_mut().for_each(refuse_unknown_fields),
        _ => {}
    }
}

fn complaints(schema: &Value, document: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).expect("a schema");
    validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// A document is what its system takes, and the same one with a misspelt key is not: so the schema was looked at.
fn holds(what: &str, schema: &Value, document: &Value, misspelt: &str) {
    assert_eq!(complaints(schema, document), Vec::<String>::new(), "{what}");
    let mut wrong = document.clone();
    let parent = wrong.pointer_mut(misspelt).and_then(Value::as_object_mut).expect("a map");
    parent.insert("undoo".into(), "x".into());
    assert_ne!(complaints(schema, &wrong), Vec::<String>::new(), "{what} with a wrong key at {misspelt}");
}

#[test]
fn every_file_is_what_its_system_takes() {
    let Some(folder) = schemas() else { return };
    holds(
        "action.yml",
        &schema(&folder, "github-actions.json"),
        &documents("action.yml")[0],
        "/runs/steps/2",
    );
    for name in ["manifests", "nightly"] {
        let workflow = documents(&format!("../../examples/github-actions/{name}.yaml")).remove(0);
        holds(name, &schema(&folder, "github-workflows.json"), &workflow, "/jobs");
    }
    // What a job is that extends the template; the template itself may hold anything.
    let job = json!({"nightly": documents("gitlab-ci.yml").remove(0)[".loopdrill-gate"].take()});
    holds("gitlab-ci.yml", &schema(&folder, "gitlab-ci.json"), &job, "/nightly");
    let tekton = documents("tekton.yaml");
    for (document, crd, misspelt) in [
        (&tekton[0], "task.yaml", "/spec/steps/0"),
        (&tekton[1], "pipeline.yaml", "/spec/finally/0"),
        (&documents("argo.yaml")[0], "argo.yaml", "/spec/templates/1/container"),
    ] {
        holds(crd, &of_custom_resource(&folder, crd, document), document, misspelt);
    }
}

/// The rule pack is what the Prometheus operator takes.
#[test]
fn the_rule_pack_is_a_prometheus_rule() {
    let Some(folder) = schemas() else { return };
    let printed = loopdrill(&["rules", "--format", "prometheusrule"]);
    let rule: Value = serde_yaml::from_str(&text(&printed.stdout)).expect("YAML");
    let schema = of_custom_resource(&folder, "prometheusrule.yaml", &rule);
    holds("the rule pack", &schema, &rule, "/spec/groups/0/rules/0");
}

fn loopdrill(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loopdrill")).args(args).output().expect("the binary runs")
}

/// Wherever there is a place that runs also after a failure, that is where the undo is.
#[test]
fn the_undo_runs_whatever_happened() {
    let action = documents("action.yml").remove(0);
    let steps = action["runs"]["steps"].as_array().expect("steps");
    let undo = steps.iter().find(|s| s["name"] == "Undo").expect("a step");
    assert_eq!(
        (&undo["if"], undo["run"].as_str().map(|r| r.contains("loopdrill undo"))),
        (&json!("always()"), Some(true))
    );
    let gitlab = documents("gitlab-ci.yml").remove(0);
    assert_eq!(gitlab[".loopdrill-gate"]["after_script"], json!(["loopdrill undo $UNDO"]));
    let finally = documents("tekton.yaml").remove(1)["spec"]["finally"].take();
    assert_eq!(finally[0]["params"][1]["value"][0], "undo");
    let argo = documents("argo.yaml").remove(0);
    let exit = argo["spec"]["templates"]
        .as_array()
        .expect("templates")
        .iter()
        .find(|t| t["name"] == argo["spec"]["onExit"]);
    assert_eq!(exit.expect("the exit handler")["container"]["args"][0], "undo");
    // A limit of the whole workflow would cut its exit handler, too.
    assert_eq!(argo["spec"]["activeDeadlineSeconds"], Value::Null);
    let jobs = documents("cronjob.yaml");
    let minute = |job: &Value| {
        let schedule = job["spec"]["schedule"].as_str().expect("a schedule").split(' ').take(2);
        let [minute, hour] = schedule.map(|n| n.parse::<u64>().expect("a number")).collect::<Vec<_>>()[..]
        else {
            panic!()
        };
        60 * hour + minute
    };
    let [gate, undo] = [&jobs[1], &jobs[2]];
    let limit = gate["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"].as_u64().expect("a limit");
    let grace = gate.pointer("/spec/jobTemplate/spec/template/spec/terminationGracePeriodSeconds");
    let ended = minute(gate) * 60 + limit + grace.and_then(Value::as_u64).expect("a limit");
    assert!(ended <= minute(undo) * 60, "the undo comes when the run has ended, however it did");
    assert!([gate, undo].iter().all(|job| job["spec"]["concurrencyPolicy"] == "Forbid"));
}

/// The CronJob's files are read by the program itself, its account is the one that `loopdrill rbac` prints, its words are
/// words of Kubernetes, and the checklist has nothing against its pods.
#[test]
fn the_cronjob_is_made_of_what_the_program_reads() {
    let documents = documents("cronjob.yaml");
    let dir = tempfile::tempdir().expect("a folder");
    for (name, content) in documents[0]["data"].as_object().expect("files") {
        fs::write(dir.path().join(name), content.as_str().expect("text")).expect("written");
    }
    let path = |name: &str| dir.path().join(name).display().to_string();
    let gate = loopdrill(&["validate", &path("suite.yaml"), "--gate", &path("gate.yaml")]);
    assert!(gate.status.success(), "{}", text(&gate.stderr));
    loopdrill_fence::TargetFile::read(&dir.path().join("target.yaml"), &loopdrill_drill::known())
        .expect("a target file");
    let printed = loopdrill(&["rbac", "--drills", "--fault", "revoked-iam"]);
    let account: Value =
        serde_yaml::from_str(text(&printed.stdout).split("---").next().expect("a document")).expect("YAML");
    for job in &documents[1..] {
        let typed: k8s_openapi::api::batch::v1::CronJob =
            serde_json::from_value(job.clone()).expect("a CronJob");
        // What a type does not know it drops.
        let known = serde_json::to_value(&typed).expect("JSON");
        assert_eq!(dropped("", job, &known), Vec::<String>::new());
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        assert_eq!(pod["serviceAccountName"], account["metadata"]["name"]);
        assert_eq!(job["metadata"]["namespace"], account["metadata"]["namespace"]);
        arguments_are_understood(&pod["containers"][0]["args"]);
    }
    let checked = loopdrill(&["check", &root().join("ci/gate/cronjob.yaml").display().to_string()]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    for (kind, pointer) in
        [("tekton", "/spec/finally/0/params/1/value"), ("tekton", "/spec/tasks/0/params/1/value")]
    {
        arguments_are_understood(
            self::documents(&format!("{kind}.yaml"))[1].pointer(pointer).expect("arguments"),
        );
    }
    for template in 0..2 {
        let pointer = format!("/spec/templates/{template}/container/args");
        arguments_are_understood(self::documents("argo.yaml")[0].pointer(&pointer).expect("arguments"));
    }
}

/// The keys of `document` that `known` does not have, or has with another value.
fn dropped(at: &str, document: &Value, known: &Value) -> Vec<String> {
    match (document, known) {
        (Value::Object(document), _) => document
            .iter()
            .flat_map(|(key, value)| dropped(&format!("{at}/{key}"), value, &known[key]))
            .collect(),
        (Value::Array(document), Value::Array(known)) if document.len() == known.len() => {
            let both = document.iter().zip(known).enumerate();
            both.flat_map(|(i, (document, known))| dropped(&format!("{at}/{i}"), document, known)).collect()
        }
        (document, known) if document == known => Vec::new(),
        _ => vec![at.to_owned()],
    }
}

/// A command line that the program refuses would say so: what is wrong here is only that there are no such files.
fn arguments_are_understood(args: &Value) {
    let args: Vec<_> = args.as_array().expect("arguments").iter().filter_map(Value::as_str).collect();
    let output = Command::new(env!("CARGO_BIN_EXE_loopdrill"))
        .args(&args)
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .output()
        .expect("the binary runs");
    let told = text(&output.stderr);
    assert!(
        told.contains("nonexistent") || told.contains("cannot read") || told.contains("No such file"),
        "{args:?}: {told}"
    );
    assert!(!told.contains("Usage:"), "{args:?}: {told}");
}

/// The steps of the action, in their order as a runner takes them, over a run that was made before.
#[test]
fn the_action_tells_its_verdict_and_keeps_it() {
    let action = documents("action.yml").remove(0);
    let step = |name: &str| {
        let steps = action["runs"]["steps"].as_array().expect("steps");
        let step = steps.iter().find(|s| s["name"] == name).expect("the step");
        step["run"].as_str().expect("a script").to_owned()
    };
    for (verdict, outcome, failed, code) in
        [("open", Outcome::Passed, 0, 0), ("closed", Outcome::Failed(Gate::Detected), 1, 1)]
    {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("report.json"), run_that(outcome).to_string()).expect("written");
        fs::write(
            dir.path().join("suite.yaml"),
            "version: 1\nname: s\ndrills: [{fault: overlay-mtu, variant: df}]\n",
        )
        .expect("written");
        fs::write(dir.path().join("gate.yaml"), "version: 1\nname: g\nsuites: [suite.yaml]\n")
            .expect("written");
        let gate =
            shell(dir.path(), &step("Gate"), &[("POLICY", "gate.yaml"), ("ARGUMENTS", "--from report.json")]);
        assert_eq!(gate.status.code(), Some(0), "{}", text(&gate.stderr));
        let outputs = fs::read_to_string(dir.path().join("outputs")).expect("outputs");
        assert_eq!(outputs, format!("verdict={verdict}\nfailed={failed}\ncode={code}\n"));
        let undo = shell(dir.path(), &step("Undo"), &[("UNDO", "")]);
        assert_eq!(text(&undo.stderr).trim(), "nothing is left to undo");
        let kept = shell(dir.path(), &step("The verdict"), &[("CODE", &code.to_string())]);
        assert_eq!(kept.status.code(), Some(code));
    }
    let dir = tempfile::tempdir().expect("a folder");
    let gate = shell(dir.path(), &step("Gate"), &[("POLICY", "no.yaml"), ("ARGUMENTS", "")]);
    assert_eq!(gate.status.code(), Some(0));
    let outputs = fs::read_to_string(dir.path().join("outputs")).expect("outputs");
    assert_eq!(outputs, "code=2\n", "without a run there is no verdict");
}

/// The report of a run with one drill.
fn run_that(outcome: Outcome) -> Value {
    let drill =
        DrillReport::new(&FaultId::new("overlay-mtu", "df"), Expectation::default()).ended(outcome, None);
    let exit = drill.exit(false);
    serde_json::to_value(RunReport {
        format: RunReport::FORMAT,
        run: "r1".into(),
        cluster: "lab".into(),
        detector: "builtin".into(),
        rivals: Vec::new(),
        versions: Versions::default(),
        capabilities: BTreeMap::new(),
        require: false,
        suites: Vec::new(),
        started_at: Timestamp::UNIX_EPOCH,
        ended_at: Timestamp::UNIX_EPOCH,
        drills: vec![drill],
        false_alarms: Vec::new(),
        trouble: Vec::new(),
        gate: None,
        exit,
        exit_code: exit.code(),
    })
    .expect("JSON")
}

/// Runs a step's script as a runner does, with `loopdrill` on the PATH and a state folder of its own.
fn shell(dir: &Path, script: &str, variables: &[(&str, &str)]) -> Output {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_loopdrill"));
    let path = env::var("PATH").unwrap_or_default();
    Command::new("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", binary.parent().expect("a folder").display()))
        .env("GITHUB_OUTPUT", dir.join("outputs"))
        .env("LOOPDRILL_STATE", dir.join("state"))
        .envs(variables.iter().copied())
        .output()
        .expect("bash runs")
}

/// The image is made of the binary alone, and says its version. Needs Docker.
#[test]
fn the_image_is_the_binary_and_nothing_else() {
    if !Command::new("docker").arg("version").output().is_ok_and(|o| o.status.success()) {
        let required = env::var_os("LOOPDRILL_REQUIRE").is_some_and(|v| !v.is_empty() && v != "0");
        assert!(!required, "there is no Docker engine, and LOOPDRILL_REQUIRE is set");
        return eprintln!("skipped: there is no Docker engine");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let named = env::var_os("LOOPDRILL_BIN").filter(|b| !b.is_empty());
    let binary = named.unwrap_or_else(|| env!("CARGO_BIN_EXE_loopdrill").into());
    fs::copy(binary, dir.path().join("loopdrill")).expect("copied");
    let tag = format!("loopdrill-image-test:{}", std::process::id());
    let docker = |args: &[&str]| Command::new("docker").args(args).output().expect("docker runs");
    let recipe = root().join("ci/gate/Containerfile").display().to_string();
    let built =
        docker(&["build", "--quiet", "--file", &recipe, "--tag", &tag, &dir.path().display().to_string()]);
    assert!(built.status.success(), "{}", text(&built.stderr));
    let ran = docker(&["run", "--rm", "--network", "none", &tag, "--version"]);
    let removed = docker(&["image", "rm", &tag]);
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    assert_eq!(text(&ran.stdout), text(&loopdrill(&["--version"]).stdout), "{}", text(&ran.stderr));
}

/// Needs jq and the crates' manifests, which building this test has fetched.
#[test]
fn the_bill_of_materials_names_what_is_linked_and_nothing_else() {
    let print = || {
        let printed = Command::new(root().join("ci/sbom")).output().expect("bash runs");
        assert!(printed.status.success(), "{}", text(&printed.stderr));
        printed.stdout
    };
    let bytes = print();
    assert_eq!(bytes, print(), "the same sources give the same bytes");
    let bill: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!((bill["bomFormat"].as_str(), bill["specVersion"].as_str()), (Some("CycloneDX"), Some("1.6")));
    let components = bill["components"].as_array().expect("a list");
    let named = |name: &str| components.iter().find(|component| component["name"] == name);
    for linked in ["kube-client", "loopdrill-faults", "rustls", "nix"] {
        assert!(named(linked).is_some(), "{linked} is linked");
    }
    for other in ["jsonschema", "insta", "syn", "loopdrill-testing"] {
        assert!(named(other).is_none(), "{other} only builds or tests it");
    }
    let references: BTreeSet<_> = components.iter().map(|c| c["bom-ref"].as_str().expect("one")).collect();
    assert_eq!(references.len(), components.len());
    for component in components {
        let ours = component["name"].as_str().is_some_and(|name| name.starts_with("loopdrill-"));
        assert_eq!(component["hashes"].as_array().map(Vec::len), Some(usize::from(!ours)), "{component}");
        assert_eq!(component["licenses"].as_array().map(Vec::len), Some(1), "{component}");
    }
    for dependency in bill["dependencies"].as_array().expect("a list") {
        for needed in dependency["dependsOn"].as_array().expect("a list") {
            assert!(references.contains(needed.as_str().expect("a reference")), "{needed}");
        }
    }
}
