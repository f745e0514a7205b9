//! Moves responses and parameters that several operations share into components.

use std::collections::BTreeMap;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{Ref, RefOr, Response};

/// Moves shared error responses, at most one per status.
pub fn responses<'a>(
    operations: impl Iterator<Item = &'a mut Operation>,
) -> BTreeMap<String, RefOr<Response>> {
    let responses = operations.flat_map(|operation| &mut operation.responses.responses);
    let refusals = responses.filter(|(status, _)| status.starts_with(['4', '5']));
    let named = refusals.map(|(status, response)| (format!("Status{status}"), response));
    take_shared(named, |name| Ref::from_response_name(name))
}

/// Moves shared parameters, at most one per name.
pub fn parameters<'a>(
    operations: impl Iterator<Item = &'a mut Operation>,
) -> BTreeMap<String, RefOr<Parameter>> {
    let parameters = operations.flat_map(|operation| operation.parameters.iter_mut().flatten());
    let named = parameters.filter_map(|parameter| match parameter {
        RefOr::T(Parameter { name, parameter_in, .. }) if *parameter_in != ParameterIn::Path => {
            Some((name.clone(), parameter))
        }
        RefOr::T(_) | RefOr::Ref(_) => None,
    });
    take_shared(named, |name| Ref::new(format!("#/components/parameters/{name}")))
}

/// For each name, moves the most frequent value if it occurs at least twice, and leaves
/// references to it.
fn take_shared<'a, T: Clone + PartialEq + 'a>(
    named: impl Iterator<Item = (String, &'a mut RefOr<T>)>,
    reference: impl Fn(&str) -> Ref,
) -> BTreeMap<String, RefOr<T>> {
    let mut by_name: BTreeMap<String, Vec<&mut RefOr<T>>> = BTreeMap::new();
    for (name, one) in named {
        by_name.entry(name).or_default().push(one);
    }
    let mut shared = BTreeMap::new();
    for (name, mut all) in by_name {
        let count = |one: &RefOr<T>| all.iter().filter(|other| **other == one).count();
        let most = all.iter().map(|one| (count(one), one)).max_by_key(|(count, _)| *count);
        let Some((2.., most)) = most else { continue };
        let most = (**most).clone();
        for one in all.iter_mut().filter(|one| **one == &most) {
            **one = RefOr::Ref(reference(&name));
        }
        shared.insert(name, most);
    }
    shared
}
