//! Patterns in which `*` stands for anything, and `?` for one character.

/// Matches a text against a pattern, in time proportional to the product of
/// their lengths at most.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and what it stood for so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("5.4.*", "5.4.0-42-generic", true),
            ("*-aws", "5.4.0-1029-aws", true),
            ("*-aws", "5.4.0-1029-azure", false),
            ("?.4*", "5.4", true),
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
            ("*a*b*c", "xaxbxbxc", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        let long = "*a".repeat(2000);
        assert!(!matches(&long, &"b".repeat(20_000)));
    }
}
