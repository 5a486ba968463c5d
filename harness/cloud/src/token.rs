//! Web identity tokens: what a cluster's issuer signed, checked as STS does it. Pure; the time is an argument.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{Jwk, JwkSet},
};
use serde::Deserialize;

/// How far two clocks may be apart, in seconds.
const LEEWAY: i64 = 5;

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) aud: Vec<String>,
    pub(crate) exp: i64,
}

/// Claims that are looked at before the signature is known to be good, or that need not be there.
#[derive(Debug, Default, Deserialize)]
struct Loose {
    #[serde(default)]
    iss: String,
    nbf: Option<i64>,
}

/// Why a token is refused, in the words of STS.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")]
    NoJwt,
    #[error("No OpenIDConnect provider found in your account for {0}")]
    Issuer(String),
    #[error(
        "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"
    )]
    Key,
    #[error("The ID Token provided is not signed by its issuer")]
    Signature,
    #[error("Missing a required claim: {0}")]
    Claims(String),
    #[error("Incorrect token audience")]
    Audience,
    #[error("Token expired: current date/time {now} must be before the expiration date/time {exp}")]
    Expired { now: i64, exp: i64 },
    #[error("Token is not valid yet: current date/time {now} must not be before {nbf}")]
    Early { now: i64, nbf: i64 },
}

/// The issuer that a token names, before anything is verified: whose keys to check it with.
pub(crate) fn issuer(token: &str) -> Result<String, TokenError> {
    Ok(loose(token)?.iss)
}

/// The id of the key that a token is signed with.
pub(crate) fn key_id(token: &str) -> Result<Option<String>, TokenError> {
    Ok(jsonwebtoken::decode_header(token).map_err(|_| TokenError::NoJwt)?.kid)
}

/// Verifies the signature of a token and the claims that make it one for this account.
pub(crate) fn check(
    token: &str,
    keys: &JwkSet,
    issuer: &str,
    audiences: &[String],
    now: i64,
) -> Result<Claims, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::NoJwt)?;
    // The token must not choose the algorithm: with `none`, or an HMAC keyed by the public key, anybody could sign.
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(TokenError::NoJwt);
    }
    let before = loose(token)?;
    if before.iss != issuer {
        return Err(TokenError::Issuer(before.iss));
    }
    let key = header.kid.as_deref().and_then(|kid| keys.find(kid)).ok_or(TokenError::Key)?;
    let claims = verified(token, key, header.alg)?;
    if now - LEEWAY >= claims.exp {
        return Err(TokenError::Expired { now, exp: claims.exp });
    }
    if let Some(nbf) = before.nbf.filter(|nbf| now + LEEWAY < *nbf) {
        return Err(TokenError::Early { now, nbf });
    }
    if !claims.aud.iter().any(|aud| audiences.contains(aud)) {
        return Err(TokenError::Audience);
    }
    Ok(claims)
}

/// What a token says, when the key signed it.
fn verified(token: &str, key: &Jwk, algorithm: Algorithm) -> Result<Claims, TokenError> {
    let key = DecodingKey::from_jwk(key).map_err(|_| TokenError::Key)?;
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
    let claims = jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation);
    serde_json::from_value(claims.map_err(|_| TokenError::Signature)?.claims)
        .map_err(|e| TokenError::Claims(e.to_string()))
}

fn loose(token: &str) -> Result<Loose, TokenError> {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    serde_json::from_slice(&payload.ok_or(TokenError::NoJwt)?).map_err(|_| TokenError::NoJwt)
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let all = crate::element::OneOrMany::<String>::deserialize(deserializer)?;
    Ok(all.iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, Header};
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
    };
    use serde_json::{Value, json};

    const ISSUER: &str = "https://issuer.example";
    const NOW: i64 = 1_800_000_000;

    /// An issuer with one key.
    struct Issuer {
        pkcs8: Vec<u8>,
        keys: JwkSet,
    }

    impl Issuer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key").as_ref().to_vec();
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &random).expect("the same");
            let point = pair.public_key().as_ref();
            let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
            let keys = json!({"keys": [{"kty": "EC", "use": "sig", "kid": "k1", "alg": "ES256", "crv": "P-256",
                "x": part(1..33), "y": part(33..65)}]});
            Issuer { pkcs8, keys: serde_json::from_value(keys).expect("a key set") }
        }

        fn sign(&self, claims: &Value) -> String {
            let header = Header { kid: Some("k1".into()), ..Header::new(Algorithm::ES256) };
            jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.pkcs8)).expect("signed")
        }

        fn check(&self, token: &str) -> Result<Claims, TokenError> {
            check(token, &self.keys, ISSUER, &["sts.amazonaws.com".into()], NOW)
        }
    }

    fn claims() -> Value {
        json!({"iss": ISSUER, "sub": "system:serviceaccount:drill-1:app", "aud": ["sts.amazonaws.com"],
            "exp": NOW + 600, "nbf": NOW - 1, "iat": NOW - 1})
    }

    fn with(key: &str, value: Value) -> Value {
        let mut all = claims();
        all[key] = value;
        all
    }

    #[test]
    fn a_good_token_gives_its_claims() {
        let issuer = Issuer::new();
        let good = issuer.check(&issuer.sign(&claims())).expect("good");
        assert_eq!(good.sub, "system:serviceaccount:drill-1:app");
        let one = issuer.sign(&with("aud", json!("sts.amazonaws.com")));
        assert_eq!(issuer.check(&one).expect("one audience is no list").aud, ["sts.amazonaws.com"]);
        assert_eq!(super::issuer(&one).as_deref(), Ok(ISSUER));
        assert_eq!(key_id(&one).expect("a header").as_deref(), Some("k1"));
    }

    #[test]
    fn each_defect_has_its_own_error() {
        let issuer = Issuer::new();
        let refused = |claims: &Value| issuer.check(&issuer.sign(claims)).expect_err("refused");
        assert_eq!(refused(&with("aud", json!("other"))), TokenError::Audience);
        assert_eq!(refused(&with("aud", json!([]))), TokenError::Audience);
        let exp = NOW - 60;
        assert_eq!(refused(&with("exp", json!(exp))), TokenError::Expired { now: NOW, exp });
        let nbf = NOW + 60;
        assert_eq!(refused(&with("nbf", json!(nbf))), TokenError::Early { now: NOW, nbf });
        let other = "https://other.example";
        assert_eq!(refused(&with("iss", json!(other))), TokenError::Issuer(other.into()));
        let mut nobody = claims();
        nobody.as_object_mut().expect("an object").remove("sub");
        assert!(matches!(refused(&nobody), TokenError::Claims(why) if why.contains("sub")));
    }

    #[test]
    fn only_the_issuer_s_own_signature_will_do() {
        let (issuer, forger) = (Issuer::new(), Issuer::new());
        assert_eq!(issuer.check(&forger.sign(&claims())), Err(TokenError::Signature));
        let token = issuer.sign(&claims());
        let parts: Vec<_> = token.split('.').collect();
        let other =
            URL_SAFE_NO_PAD.encode(with("sub", json!("system:serviceaccount:drill-1:admin")).to_string());
        assert_eq!(issuer.check(&format!("{}.{other}.{}", parts[0], parts[2])), Err(TokenError::Signature));
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT","kid":"k1"}"#);
        assert_eq!(issuer.check(&format!("{none}.{}.", parts[1])), Err(TokenError::NoJwt));
        // The public key as a shared secret is an old trick.
        let header = Header { kid: Some("k1".into()), ..Header::new(Algorithm::HS256) };
        let secret = EncodingKey::from_secret(b"public");
        let hmac = jsonwebtoken::encode(&header, &claims(), &secret).expect("signed");
        assert_eq!(issuer.check(&hmac), Err(TokenError::NoJwt));
        let header = Header { kid: Some("k2".into()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_der(&issuer.pkcs8);
        let unknown = jsonwebtoken::encode(&header, &claims(), &key).expect("signed");
        assert_eq!(issuer.check(&unknown), Err(TokenError::Key));
    }

    /// Signed once, with a key that nobody has any more.
    #[test]
    fn rsa_signatures_are_verified() {
        let modulus = concat!(
            "1QZ_HITZcIjCgt6K___1ow7oQuquI9KM2EQQJ1dVJGr7MXSaWtj_pSdaI6FwQLAqT_kdkwMfkffllxom96c9GMP3LhuJPxSc",
            "y3S-8iWVG34seBT76rcrgKqmu17JQo43bNQhEXdkQLzmb6F0TMU0PetPUD6Sh4edLTvAAy9viFPG7HnmjooXpgWUMkLRXtmp",
            "957ns8ba3posti5bs6ELTLTO-aSHOJQzuAvMt0SSag1rLHNMqif66tilCt7Eaj5fZAsQ3voACMjcN_cte4TE0ew__Y2-oFNt",
            "XXDKFNsuBs4QeBJT0KR42pyMIMsLoiscIPoKFmt684butBH4CDGUYw"
        );
        let token = concat!(
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsyIn0.",
            "eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoicyIsImF1ZCI6WyJzdHMuYW1hem9uYXdzLmNvbSJdLCJl",
            "eHAiOjE4MDAwMDA2MDB9",
            ".",
            "AApr73ez_6CPkcOMEkvD4Jflge0y97vWg7S1aC-_I03fQI2O6alN98mD6wr5Exxhfc_abum0-d9e6hoV_93x_t1RkUJ3i35U",
            "b6MDjJxj3OS9tIIm8XPnNiGXdotHuinya6v9o7Fv1bjMydd6O1aLHMyhaiNqcFGkv30eyyGGsq3QOXnJi7CIw1vyeNMgtEng",
            "99rK27nsiG2xqJ_3TYUpDb1u9HttuTi6cYRp1G8GJ-9I81bm2acBAL-gzddSsKcTsjKEx45HqeRWIW7Nxg033F4gLl5DxpC8",
            "Mf3YE_HwI-3MxJ4Uw-ILyeSFZ9zFJ_A9FE-APnpsAcQs58WhSdkXTQ"
        );
        let keys = json!({"keys": [{"kty": "RSA", "alg": "RS256", "kid": "k2", "e": "AQAB", "n": modulus}]});
        let keys: JwkSet = serde_json::from_value(keys).expect("a key set");
        let check = |token: &str| check(token, &keys, ISSUER, &["sts.amazonaws.com".into()], NOW);
        assert_eq!(check(token).expect("good").sub, "s");
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let other = format!("{signed}.{}{signature}", &signature[..1]);
        assert_eq!(check(&other[..token.len()]), Err(TokenError::Signature));
    }

    #[test]
    fn what_is_no_token_is_told() {
        let issuer = Issuer::new();
        for bad in ["", ".", "a.b.c", "....", "e30.e30.e30", &"x".repeat(100_000), "ä.ö.ü"] {
            assert_eq!(issuer.check(bad), Err(TokenError::NoJwt), "{bad:.20}");
        }
    }
}
