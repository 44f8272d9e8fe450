//! What a server offers, in one short line for people.

/// The capabilities that a login depends on.
pub(crate) fn offers(words: &[String]) -> String {
    const MATTER: &[&str] = &[
        "STARTTLS",
        "STLS",
        "LOGINDISABLED",
        "SASL-IR",
        "LITERAL+",
        "LITERAL-",
        "USER",
        "APOP",
        "UTF8=ACCEPT",
        "UTF8",
    ];
    let (mechanisms, others): (Vec<&str>, Vec<&str>) =
        words.iter().map(String::as_str).partition(|word| word.starts_with("AUTH="));
    let mut shown: Vec<&str> = others.into_iter().filter(|word| MATTER.contains(word)).collect();
    let names: Vec<&str> = mechanisms.iter().filter_map(|word| word.strip_prefix("AUTH=")).take(24).collect();
    let mechanisms = format!("AUTH={}", names.join(","));
    if !names.is_empty() {
        shown.insert(0, &mechanisms);
    }
    match (shown.is_empty(), words.is_empty()) {
        (false, _) => format!("offers {}", shown.join(" ")),
        (true, false) => "offers nothing that a login depends on".to_string(),
        (true, true) => "does not say what it offers".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_shown_and_no_more() {
        let shown = |words: &[&str]| offers(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(
            shown(&["IMAP4REV1", "AUTH=PLAIN", "IDLE", "STARTTLS", "AUTH=NTLM"]),
            "offers AUTH=PLAIN,NTLM STARTTLS"
        );
        assert_eq!(shown(&["IDLE"]), "offers nothing that a login depends on");
        assert_eq!(shown(&[]), "does not say what it offers");
    }
}
