//! What of a source is compiled here: `#[cfg]` and `#[cfg_attr]`, as a build of all features' tests sees them.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Token};

type List = Punctuated<Meta, Token![,]>;

/// Whether something under these attributes is compiled.
pub(super) fn hold(attributes: &[Attribute]) -> bool {
    let conditions = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    conditions
        .filter_map(|attribute| attribute.parse_args::<Meta>().ok())
        .all(|condition| holds(&condition))
}

/// Whether a test under these attributes is not run.
pub(super) fn is_ignored(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("ignore")
            || (attribute.path().is_ident("cfg_attr") && adds_ignore(attribute))
    })
}

fn adds_ignore(attribute: &Attribute) -> bool {
    let Ok(list) = attribute.parse_args_with(List::parse_terminated) else {
        return false;
    };
    let mut list = list.iter();
    list.next().is_some_and(holds) && list.any(|meta| meta.path().is_ident("ignore"))
}

/// A condition that nothing here sets (`miri`, `loom`) does not hold, as for the compiler.
fn holds(condition: &Meta) -> bool {
    let name = condition.path();
    match condition {
        Meta::Path(_) => {
            name.is_ident("test")
                || (name.is_ident("unix") && cfg!(unix))
                || (name.is_ident("windows") && cfg!(windows))
                || (name.is_ident("debug_assertions") && cfg!(debug_assertions))
        }
        Meta::NameValue(pair) => {
            let Expr::Lit(ExprLit {
                lit: Lit::Str(value),
                ..
            }) = &pair.value
            else {
                return false;
            };
            let value = value.value();
            name.is_ident("feature")
                || (name.is_ident("target_os") && value == std::env::consts::OS)
                || (name.is_ident("target_arch") && value == std::env::consts::ARCH)
                || (name.is_ident("target_family") && value == std::env::consts::FAMILY)
                || (name.is_ident("target_pointer_width") && value == usize::BITS.to_string())
                || (name.is_ident("panic") && value == "unwind")
        }
        Meta::List(list) => {
            let Ok(inner) = list.parse_args_with(List::parse_terminated) else {
                return false;
            };
            if name.is_ident("not") {
                !inner.iter().any(holds)
            } else if name.is_ident("any") {
                inner.iter().any(holds)
            } else {
                name.is_ident("all") && inner.iter().all(holds)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::ItemFn;

    use super::*;

    fn attributes(source: &str) -> Vec<Attribute> {
        let item: ItemFn = syn::parse_str(&format!("{source} fn x() {{}}")).unwrap();
        item.attrs
    }

    #[test]
    fn what_is_compiled_is_what_a_build_of_all_features_and_tests_compiles() {
        for compiled in [
            "",
            "#[cfg(test)]",
            "#[cfg(feature = \"cust\")]",
            "#[cfg(all(test, not(miri)))]",
            "#[cfg(any(windows, unix))]",
            "#[cfg(not(loom))]",
        ] {
            assert!(hold(&attributes(compiled)), "{compiled}");
        }
        for left_out in [
            "#[cfg(loom)]",
            "#[cfg(all(test, miri))]",
            "#[cfg(not(test))]",
            "#[cfg(test)] #[cfg(not(feature = \"drill\"))]",
            "#[cfg(target_os = \"none\")]",
        ] {
            assert!(!hold(&attributes(left_out)), "{left_out}");
        }
    }

    #[test]
    fn an_ignored_test_is_one_that_this_build_does_not_run() {
        assert!(is_ignored(&attributes("#[ignore]")));
        assert!(is_ignored(&attributes("#[ignore = \"slow\"]")));
        assert!(is_ignored(&attributes("#[cfg_attr(test, ignore)]")));
        assert!(!is_ignored(&attributes(
            "#[cfg_attr(miri, ignore = \"slow\")]"
        )));
        assert!(!is_ignored(&attributes("#[test]")));
    }
}
