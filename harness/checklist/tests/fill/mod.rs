//! Credentials for the cases, made up and put together here, so that no scanner takes the tree for a leak.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A case with the credentials that stand in for `@…@`, each of its own line's indentation.
pub(crate) fn filled(text: &str) -> String {
    let aws = ["AKIA", "MADEUP7LOOPDRILL"].concat();
    let file = format!(
        "[default]\naws_access_key_id = {aws}\naws_secret_access_key = made-up-and-not-so-very-secret\nregion = eu-central-1\n"
    );
    let azure = ["abc8", "Q~", &"x1".repeat(16)].concat();
    let gcp = r#"{"type": "service_account", "private_key_id": "1", "private_key": "made-up", "client_email": "a@b"}"#;
    let auths = format!(r#"{{"registry.example": {{"auth": "{}"}}}}"#, STANDARD.encode("robot:made-up"));
    let docker = format!(r#"{{"auths": {auths}}}"#);
    let expired = ["e30.", &STANDARD.encode(r#"{"exp": 1700000000}"#).replace('=', ""), ".s"].concat();
    let token = expired.clone();
    let expired = STANDARD.encode(format!("robot:{expired}"));
    let expired = format!(r#"{{"auths": {{"registry.example": {{"auth": "{expired}"}}}}}}"#);
    let wrapped = STANDARD
        .encode(&file)
        .as_bytes()
        .chunks(76)
        .map(String::from_utf8_lossy)
        .collect::<Vec<_>>()
        .join("\n");
    let fill = [
        ("@AWSFILE64WRAPPED@", wrapped),
        ("@AWSFILE64@", STANDARD.encode(&file)),
        ("@AWS64@", STANDARD.encode(&aws)),
        ("@AWS@", aws),
        ("@AZURE@", azure),
        ("@GCP64@", STANDARD.encode(gcp)),
        ("@GCP@", gcp.into()),
        ("@DOCKERCFG64@", STANDARD.encode(&auths)),
        ("@DOCKERCONFIG64@", STANDARD.encode(&docker)),
        ("@EXPIREDTOKEN@", token),
        ("@EXPIRED64@", STANDARD.encode(&expired)),
    ];
    text.split_inclusive('\n').map(|line| filled_line(line, &fill)).collect()
}

fn filled_line(line: &str, fill: &[(&str, String)]) -> String {
    let indent = &line[..line.len() - line.trim_start().len()];
    fill.iter().fold(line.to_string(), |line, (mark, value)| {
        line.replace(mark, &value.replace('\n', &format!("\n{indent}")))
    })
}
