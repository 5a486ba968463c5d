//! Generates servers and clients of the few gRPC services that the driver speaks.
//!
//! The messages are declared by hand in `src/proto/`, so neither `protoc` nor a copy of a `.proto` file is needed.

use tonic_build::manual::{Builder, Method, Service};

/// A service: package, name, module of its messages, methods with the same names as in the specification.
type Declaration = (&'static str, &'static str, &'static str, &'static [&'static str]);

const SERVICES: &[Declaration] = &[
    ("csi.v1", "Identity", "csi", &["GetPluginInfo", "GetPluginCapabilities", "Probe"]),
    (
        "csi.v1",
        "Controller",
        "csi",
        &[
            "CreateVolume",
            "DeleteVolume",
            "ControllerPublishVolume",
            "ControllerUnpublishVolume",
            "ValidateVolumeCapabilities",
            "ListVolumes",
            "ControllerGetCapabilities",
        ],
    ),
    (
        "csi.v1",
        "Node",
        "csi",
        &[
            "NodeStageVolume",
            "NodeUnstageVolume",
            "NodePublishVolume",
            "NodeUnpublishVolume",
            "NodeGetCapabilities",
            "NodeGetInfo",
        ],
    ),
    ("pluginregistration", "Registration", "registration", &[]),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let services: Vec<Service> = SERVICES.iter().map(service).collect();
    Builder::new().compile(&services);
}

fn service((package, name, module, methods): &Declaration) -> Service {
    let service = Service::builder().package(package).name(name);
    if *name == "Registration" {
        // The kubelet's own service does not name its messages after the methods.
        return service
            .method(method("GetInfo", "registration::InfoRequest", "registration::PluginInfo"))
            .method(method(
                "NotifyRegistrationStatus",
                "registration::RegistrationStatus",
                "registration::RegistrationStatusResponse",
            ))
            .build();
    }
    let message = |method: &str, suffix: &str| format!("{module}::{method}{suffix}");
    methods
        .iter()
        .fold(service, |s, m| s.method(method(m, &message(m, "Request"), &message(m, "Response"))))
        .build()
}

fn method(route: &str, input: &str, output: &str) -> Method {
    Method::builder()
        .name(snake_case(route))
        .route_name(route)
        .input_type(format!("crate::proto::{input}"))
        .output_type(format!("crate::proto::{output}"))
        .codec_path("tonic_prost::ProstCodec")
        .build()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
