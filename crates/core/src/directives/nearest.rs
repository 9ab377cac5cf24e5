//! The name that was probably meant.

/// The name that looks most like `given`, if one looks like it.
pub(crate) fn nearest<'n>(
    given: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let given = given.to_lowercase();
    // A third of the letters: `blgo` for `blog`, and not `a` for `b`.
    let most = given.chars().count() / 3;
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(&given, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `; perhaps '…' is meant`, or nothing.
pub(crate) fn suggestion<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let found = nearest(given, names);
    found.map_or_else(String::new, |name| format!("; perhaps '{name}' is meant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_seen_and_other_names_left_alone() {
        let names = ["blog", "shop", "shop-2", "admin"];
        for (given, expected) in [
            ("blgo", Some("blog")),
            ("Blog", Some("blog")),
            ("shop-3", Some("shop-2")),
            ("shops", Some("shop")),
            ("amdin", Some("admin")),
            ("wiki", None),
            ("b", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, names), expected, "{given}");
        }
        assert_eq!(suggestion("blgo", names), "; perhaps 'blog' is meant");
        assert_eq!(suggestion("wiki", names), "");
    }
}
