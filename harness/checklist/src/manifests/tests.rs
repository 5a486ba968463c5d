use super::*;

fn read(text: &str) -> Reading {
    let mut manifests = Manifests::new(Timestamp::UNIX_EPOCH, vec![]);
    manifests.add("a.yaml", text);
    manifests.finish()
}

fn error(text: &str) -> String {
    read(text).errors.first().expect("it is wrong").to_string()
}

fn skipped(file: &str, text: &str) -> SkipReason {
    let mut manifests = Manifests::new(Timestamp::UNIX_EPOCH, vec![]);
    manifests.add(file, text);
    let read = manifests.finish();
    assert_eq!((read.errors, read.objects), (vec![], 0), "{text}");
    read.skipped.first().expect("it is passed over").reason
}

#[test]
fn documents_and_lists_are_taken_apart() {
    let text = "---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n\
                - {apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}}\n---\n---\n\
                {\"apiVersion\": \"batch/v1\", \"kind\": \"Job\", \"metadata\": {\"name\": \"j\"}}\n---\n\
                {apiVersion: x.example/v1, kind: Deployment, metadata: {name: other}}\n";
    let read = read(text);
    assert_eq!(read.objects, 3);
    let names: Vec<_> = read.snapshot.workloads.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["Deployment shop/cart", "Job default/j"]);
    assert_eq!(read.left_out, ["1 × Deployment (x.example/v1)"]);
    assert_eq!(read.snapshot.workloads[0].file.as_deref(), Some("a.yaml"));
    let lines = |name: &str| read.snapshot.sources[name][0].lines;
    assert_eq!(lines("Deployment shop/cart"), Some(Lines { first: 6, last: 6 }));
    assert_eq!(lines("Namespace shop"), Some(Lines { first: 5, last: 5 }));
    assert_eq!(lines("Job default/j"), Some(Lines { first: 9, last: 9 }));
}

#[test]
fn items_of_a_typed_list_are_what_the_list_says() {
    let text =
        "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n";
    assert_eq!(read(text).objects, 2);
    assert_eq!(read("apiVersion: v1\nkind: List\nitems: []\n").objects, 0);
    assert!(error("apiVersion: v1\nkind: List\nitems: {a: b}\n").contains("items of List is no list"));
    assert_eq!(
        error("apiVersion: v1\nkind: PodList\nitems:\n- x\n"),
        "a.yaml:4: this is no Kubernetes object: an item of a list is no object"
    );
}

#[test]
fn templates_are_told_with_their_line() {
    for text in [
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Values.name }}\n",
        "# {{ no }}\nkind: Deployment\napiVersion: apps/v1\n{{- if .Values.x }}\nmetadata: {name: x}\n{{- end }}\n",
    ] {
        let read = read(text);
        assert_eq!((read.objects, read.errors.len(), read.skipped.len()), (0, 0, 1));
        assert!(
            read.skipped[0].to_string().starts_with("a.yaml:4: this is a template"),
            "{}",
            read.skipped[0]
        );
    }
    let quoted = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: \"{{ .Values.name }}\"\n";
    assert_eq!(skipped("a.yaml", quoted), SkipReason::Template);
    let typed =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: \"{{ .n }}\"}\n";
    let typed = read(typed);
    assert_eq!((typed.skipped[0].reason, typed.snapshot.unjudged.len()), (SkipReason::Template, 1));
    let fine =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: alerts}\ndata: {a: \"{{ $labels.pod }}\"}\n";
    assert_eq!(read(fine).objects, 1, "braces in data are data");
}

#[test]
fn what_is_no_manifest_is_passed_over_by_name() {
    assert_eq!(skipped("README.yaml", "just text"), SkipReason::NoObject);
    assert_eq!(skipped("values.yaml", "a: b\n"), SkipReason::NoObject);
    assert_eq!(
        skipped("ci.yml", "on: push\njobs: {a: {steps: [{run: \"echo ${{ x }}\"}]}}\n"),
        SkipReason::NoObject
    );
    assert_eq!(skipped("chart/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"), SkipReason::Chart);
    assert_eq!(skipped("x/kustomization.yaml", "resources: [a.yaml]\n"), SkipReason::Kustomization);
    let base = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n";
    assert_eq!(skipped("kustomization.yaml", base), SkipReason::Kustomization);
    assert_eq!(skipped("b.yaml", "\u{0}\u{1}binary: ["), SkipReason::NoYaml);
    assert_eq!(skipped("c.yaml", "a: [1, 2\nb: c\n"), SkipReason::NoYaml);
}

#[test]
fn what_is_wrong_is_told_and_the_rest_is_read() {
    assert!(error("kind: Pod\n").contains("apiVersion is missing"));
    assert!(
        error("apiVersion: v1\nmetadata: {name: p}\n")
            .starts_with("a.yaml:1: this is no Kubernetes object: kind")
    );
    assert!(error("kind: Pod\nmetadata: {name: a\nb: c\n").starts_with("a.yaml:3: this cannot be read"));
    let odd = error("# x\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: 5}\n");
    assert!(odd.starts_with("a.yaml:2: Pod default/p is not understood"), "{odd}");
    assert!(error("apiVersion: v1\nkind: Pod\nmetadata: {}\n").contains("(without name)"));
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\nkind: Pod\nkind: Pod\n---\n\
                apiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n";
    let read = read(text);
    assert_eq!((read.objects, read.errors.len()), (2, 1));
    assert!(
        read.errors[0].to_string().starts_with("a.yaml:6: this cannot be read: the key \"kind\" comes twice")
    );
    assert_eq!(read.snapshot.unjudged[0].object, "a.yaml:6");
}

#[test]
fn other_kinds_that_make_pods_are_known_as_not_judged() {
    let spec = "spec: {templates: [{container: {image: b}}]}";
    let text = format!("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{name: w}}\n{spec}\n");
    let read = read(&text);
    assert_eq!(read.left_out, ["1 × Workflow (argoproj.io/v1alpha1)"]);
    assert!(read.snapshot.unjudged[0].pods);
    assert_eq!(read.snapshot.unjudged[0].object, "Workflow default/w");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}") {
        let _ = read(&text);
    }
}

#[test]
fn comments_are_nothing_wherever_they_stand() {
    let text = "# before\napiVersion: v1 # beside\n# between\nkind: Pod\nmetadata:\n  # of a value\n  name: p\nspec:\n  \
                containers:\n    # of an item\n    - name: c # last\n# after\n---\n# a document of its own\n";
    let read = read(text);
    assert_eq!((read.errors, read.objects), (vec![], 1));
}
