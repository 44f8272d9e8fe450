//! The flaws of the mechanisms, each in an exchange in which it shows.

use super::super::crypto::Hash;
use super::super::flaw::{Flaw, Flaws};
use super::client::{
    EXPORTER, Scram, Talk, apop, cram, decoded, digest, ntlm_authenticate, ntlm_negotiate, opaque, scram_first,
    scram_last, tls, word,
};
use crate::axes::Protocol;

/// What shows of the sound server and what of the flawed one.
const SHOWN: &[(Flaw, &str, &str)] = &[
    (Flaw::AcceptsBadBase64, "BAD", "OK"),
    (Flaw::EmptyInitialResponseIsAbsent, "NO", "+"),
    (Flaw::SaslCancelIgnored, "BAD", "+"),
    (Flaw::AcceptsMissingNul, "NO", "OK"),
    (Flaw::AcceptsExtraNul, "NO", "OK"),
    (Flaw::CramSplitsAtFirstSpace, "OK", "NO"),
    (Flaw::CramSameChallenge, "different", "same"),
    (Flaw::DigestIgnoresUri, "NO", "OK"),
    (Flaw::DigestIgnoresNonce, "NO", "OK"),
    (Flaw::ScramNonceNotExtended, "different", "same"),
    (Flaw::ScramWrongServerSignature, "same", "different"),
    (Flaw::ScramSkipsClientProof, "NO", "OK"),
    (Flaw::ScramKeepsEscapes, "OK", "NO"),
    (Flaw::ScramIgnoresChannelBinding, "NO", "OK"),
    (Flaw::ScramAllowsDowngrade, "NO", "OK"),
    (Flaw::NtlmDropsDomain, "NO", "OK"),
    (Flaw::TokenForAnybody, "NO", "OK"),
    (Flaw::ExternalTrustsAuthzid, "NO", "OK"),
    (Flaw::ApopRepeatsTimestamp, "different", "same"),
    (Flaw::ApopAcceptsPrefix, "NO", "OK"),
];

/// Whether the flaw is shown here.
pub(in super::super) fn shows(flaw: Flaw) -> bool {
    SHOWN.iter().any(|(shown, ..)| *shown == flaw)
}

#[test]
fn every_flaw_of_a_mechanism_shows_in_each_of_its_protocols() {
    for &(flaw, sound, flawed) in SHOWN {
        for &protocol in flaw.protocols() {
            // POP3 knows one way to refuse.
            let expected = |shown| if shown == "BAD" && protocol == Protocol::Pop3 { "NO" } else { shown };
            assert_eq!(shown(flaw, protocol, Flaws::NONE), expected(sound), "{protocol} sound {}", flaw.name());
            assert_eq!(shown(flaw, protocol, flaw.into()), expected(flawed), "{protocol} {}", flaw.name());
        }
    }
}

fn shown(flaw: Flaw, protocol: Protocol, flaws: Flaws) -> &'static str {
    let authority = opaque(flaws);
    let mut talk = Talk::new(protocol, &authority, None);
    match flaw {
        // NUL Same NUL Secret-Same, with an exclamation mark in it.
        Flaw::AcceptsBadBase64 => {
            talk.challenge("PLAIN");
            word(&talk.line(b"AFNhbWU!AU2VjcmV0LVNhbWU="))
        }
        Flaw::EmptyInitialResponseIsAbsent => word(&talk.auth("PLAIN =")),
        Flaw::SaslCancelIgnored => {
            talk.challenge("PLAIN");
            word(&talk.line(b"*"))
        }
        Flaw::AcceptsMissingNul => word(&talk.say("PLAIN", b"Same\0Secret-Same")),
        Flaw::AcceptsExtraNul => word(&talk.say("PLAIN", b"\0Same\0Secret-Same\0more")),
        Flaw::CramSplitsAtFirstSpace => {
            let challenge = talk.challenge("CRAM-MD5");
            word(&talk.answer(&cram(&challenge, "First Last", "Secret-First Last")))
        }
        Flaw::CramSameChallenge => {
            let other = Talk::new(protocol, &authority, None).challenge("CRAM-MD5");
            same(talk.challenge("CRAM-MD5") == other)
        }
        Flaw::DigestIgnoresUri => digested(talk, "smtp/localhost", None),
        Flaw::DigestIgnoresNonce => digested(talk, service(protocol), Some("OA6MG9tEQGm2hh")),
        Flaw::ScramNonceNotExtended => {
            let first = decoded(&talk.say("SCRAM-SHA-256", b"n,,n=Same,r=cn")).expect("challenge");
            same(first.starts_with(b"r=cn,"))
        }
        Flaw::ScramWrongServerSignature => {
            let scram = Scram { header: "n,,", bound: b"n,,".to_vec(), ..same_user() };
            let first = decoded(&talk.say("SCRAM-SHA-256", &scram_first(&scram))).expect("challenge");
            let (last, signature) = scram_last(&scram, &first);
            let shown = decoded(&talk.answer(last.as_bytes())).expect("signature");
            same(shown == [&b"v="[..], &super::encode(&signature)].concat())
        }
        Flaw::ScramSkipsClientProof => scrammed(talk, "SCRAM-SHA-256", &Scram { password: "wrong", ..same_user() }),
        Flaw::ScramKeepsEscapes => {
            let escaped = Scram { name: "Comma=2CEquals=3D", password: "Secret-Comma,Equals=", ..same_user() };
            scrammed(talk, "SCRAM-SHA-256", &escaped)
        }
        Flaw::ScramIgnoresChannelBinding => {
            let bound = [b"p=tls-exporter,,".as_slice(), &[8; 32]].concat();
            let talk = Talk::new(protocol, &authority, Some(tls("Same")));
            let scram = Scram { header: "p=tls-exporter,,", bound, ..same_user() };
            scrammed(talk, "SCRAM-SHA-256-PLUS", &scram)
        }
        Flaw::ScramAllowsDowngrade => {
            let talk = Talk::new(protocol, &authority, Some(tls("Same")));
            scrammed(talk, "SCRAM-SHA-256", &Scram { header: "y,,", bound: b"y,,".to_vec(), ..same_user() })
        }
        Flaw::NtlmDropsDomain => {
            let challenge = decoded(&talk.say("NTLM", &ntlm_negotiate())).expect("challenge");
            word(&talk.answer(&ntlm_authenticate(&challenge, ["Domain1", "Same", "Secret-Same"], false)))
        }
        Flaw::TokenForAnybody => {
            let reply = talk.say("XOAUTH2", b"user=Principal\x01auth=Bearer Token-Domain1-Same\x01\x01");
            if decoded(&reply).is_some() { word(&talk.line(b"")) } else { word(&reply) }
        }
        Flaw::ExternalTrustsAuthzid => {
            let mut talk = Talk::new(protocol, &authority, Some(tls("Same")));
            word(&talk.say("EXTERNAL", b"Principal"))
        }
        Flaw::ApopRepeatsTimestamp => same(Talk::new(protocol, &authority, None).greeting == talk.greeting),
        Flaw::ApopAcceptsPrefix => {
            let digest = apop(&talk.greeting, "Secret-Same");
            word(&talk.line(format!("APOP Same {}", &digest[..31]).as_bytes()))
        }
        _ => panic!("{} is not shown here", flaw.name()),
    }
}

const fn same(are_same: bool) -> &'static str {
    if are_same { "same" } else { "different" }
}

const fn service(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap => "imap/localhost",
        Protocol::Pop3 => "pop/localhost",
    }
}

fn digested(mut talk: Talk, uri: &str, nonce: Option<&str>) -> &'static str {
    let challenge = talk.challenge("DIGEST-MD5");
    let reply = talk.answer(&digest(&challenge, uri, nonce, "Same", "Secret-Same").0);
    if decoded(&reply).is_some() { word(&talk.line(b"")) } else { word(&reply) }
}

const fn same_user() -> Scram<'static> {
    Scram { header: "n,,", bound: Vec::new(), name: "Same", password: "Secret-Same", hash: Hash::Sha256 }
}

/// To the end of an exchange; where nothing else is said, the client binds it to what its header says.
fn scrammed(mut talk: Talk, mechanism: &str, scram: &Scram<'_>) -> &'static str {
    let bound = if scram.bound.is_empty() { scram.header.as_bytes().to_vec() } else { scram.bound.clone() };
    let scram = Scram { bound, ..*scram };
    let reply = talk.say(mechanism, &scram_first(&scram));
    let Some(first) = decoded(&reply) else { return word(&reply) };
    let reply = talk.answer(scram_last(&scram, &first).0.as_bytes());
    if decoded(&reply).is_some() { word(&talk.line(b"")) } else { word(&reply) }
}

#[test]
fn channels_are_bound_where_all_is_well() {
    for &protocol in Protocol::ALL {
        for (mechanism, hash) in [("SCRAM-SHA-1-PLUS", Hash::Sha1), ("SCRAM-SHA-256-PLUS", Hash::Sha256)] {
            let talk = Talk::new(protocol, &opaque(Flaws::NONE), Some(tls("Same")));
            let bound = [b"p=tls-exporter,,".as_slice(), &EXPORTER].concat();
            let scram = Scram { header: "p=tls-exporter,,", bound, hash, ..same_user() };
            assert_eq!(scrammed(talk, mechanism, &scram), "OK", "{protocol} {mechanism}");
        }
    }
}
