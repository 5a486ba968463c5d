//! The objects that make up the cloud in a cluster.

use serde::Deserialize;
use serde_json::Value;

/// The objects as YAML documents, in the order in which they are applied. `${IMAGE}` stands for the image that holds
/// this binary, `${MOTO}` for that of moto. The Secret with the seed is the lab's to add.
pub const MANIFESTS: &str = include_str!("manifests.yaml");

/// The objects, with `image` as the one that holds this binary and `moto` as moto's.
#[must_use]
pub fn manifests(image: &str, moto: &str) -> Vec<Value> {
    let text = MANIFESTS.replace("${IMAGE}", image).replace("${MOTO}", moto);
    let documents = serde_yaml::Deserializer::from_str(&text);
    documents.map(|document| Value::deserialize(document).expect("a test reads this constant")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DEPLOYMENT, NAMESPACE, NODE_PORT, OPERATOR_SECRET, SEED_KEY, SEED_SECRET, SETTINGS, THROTTLE,
    };

    #[test]
    fn names_are_those_that_the_crate_tells() {
        let all = manifests("some/image:1", "some/moto:2");
        let find = |kind: &str, name: &str| {
            let found = all.iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name);
            found.unwrap_or_else(|| panic!("{kind}/{name} is missing")).clone()
        };
        find("Namespace", NAMESPACE);
        let namespaced = all.iter().filter(|o| o["metadata"].get("namespace").is_some());
        assert!(namespaced.map(|o| &o["metadata"]["namespace"]).all(|n| n == NAMESPACE));
        let containers = find("Deployment", DEPLOYMENT)["spec"]["template"]["spec"]["containers"].clone();
        assert_eq!(containers[0]["image"], "some/image:1");
        assert_eq!(containers[1]["image"], "some/moto:2");
        let seed = &containers[0]["env"][0]["valueFrom"]["secretKeyRef"];
        assert_eq!((seed["name"].as_str(), seed["key"].as_str()), (Some(SEED_SECRET), Some(SEED_KEY)));
        assert_eq!(find("Service", "cloud")["spec"]["ports"][0]["nodePort"], NODE_PORT);
        assert_eq!(find("ConfigMap", SETTINGS)["data"][THROTTLE], "");
        let names = &find("Role", "front")["rules"][1]["resourceNames"];
        assert!(names.as_array().expect("a list").iter().any(|name| name == OPERATOR_SECRET));
    }

    #[test]
    fn moto_listens_to_its_own_pod_alone_and_enforces_from_the_start() {
        let moto = manifests("i", "m").into_iter().find(|o| o["kind"] == "Deployment").expect("there")["spec"]
            ["template"]["spec"]["containers"][1]
            .clone();
        let script = moto["command"][2].as_str().expect("a script");
        assert!(script.contains("--host=127.0.0.1"), "{script}");
        assert_eq!(moto["env"][0]["value"], "0");
    }
}
