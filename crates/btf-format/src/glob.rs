//! Patterns in which `*` matches any bytes, and `?` any one byte.

/// Returns `true` if a text matches a pattern: `*` matches any number of bytes,
/// `?` one byte, and every other byte itself.
///
/// Cost: at most the product of both lengths.
///
/// ```
/// use btf_format::glob_matches;
///
/// assert!(glob_matches("tcp_*sock", "tcp_sock") && glob_matches("tcp_?ock", "tcp_sock"));
/// assert!(!glob_matches("tcp_*sock", "udp_sock"));
/// ```
#[must_use]
pub fn glob_matches(pattern: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> bool {
    matches(pattern.as_ref(), text.as_ref())
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Position of the last star, and the end of the text that it matches so
    // far.
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
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(glob_matches(b"a?\xff*", b"a\0\xff\n"), "bytes, whatever they are");
        let long = "*a".repeat(2000);
        assert!(!glob_matches(long, "b".repeat(20_000)));
    }
}
