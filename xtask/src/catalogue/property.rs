//! Property tests: what stands in `proptest! { … }`, and tests that run cases on their own.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, Token, Visibility, braced, parenthesized};

/// The functions in a `proptest! { … }`. Their arguments (`x in strategy`) are no Rust.
pub(super) struct Properties(pub(super) Vec<(Vec<Attribute>, Ident)>);

impl Parse for Properties {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Attribute::parse_inner)?;
        let mut functions = Vec::new();
        while !input.is_empty() {
            let attributes = input.call(Attribute::parse_outer)?;
            input.parse::<Visibility>()?;
            input.parse::<Token![fn]>()?;
            let name = input.parse()?;
            let arguments;
            parenthesized!(arguments in input);
            arguments.parse::<TokenStream>()?;
            let body;
            braced!(body in input);
            body.parse::<TokenStream>()?;
            functions.push((attributes, name));
        }
        Ok(Self(functions))
    }
}

/// Whether a function's body makes random cases: by `proptest!` or a runner of its own.
pub(super) fn runs_cases(body: TokenStream) -> bool {
    body.into_iter().any(|token| match token {
        TokenTree::Ident(name) => name == "proptest" || name == "TestRunner",
        TokenTree::Group(group) => runs_cases(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
