//! `cargo xtask servers`: real servers on fixed ports, for people.

use sockless_tests::servers::{Kind, fixed};

use crate::Outcome;

/// Starts, stops or shows the servers of these names; all of them if there are none.
pub(crate) fn run(verb: &str, names: &[&str]) -> Outcome {
    let act = match verb {
        "start" => fixed::start,
        "stop" => fixed::stop,
        "status" => fixed::status,
        _ => return Err(format!("servers {verb}: it is start, stop or status")),
    };
    for kind in kinds(names)? {
        println!("{}", act(kind).map_err(|error| error.to_string())?);
    }
    Ok(())
}

fn kinds(names: &[&str]) -> Result<Vec<Kind>, String> {
    if names.is_empty() {
        return Ok(Kind::ALL.to_vec());
    }
    let known = Kind::ALL.map(Kind::name).join(", ");
    let kind = |name: &&str| {
        Kind::from_name(name).ok_or_else(|| format!("there is no server {name}, only {known}"))
    };
    names.iter().map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_all_and_a_wrong_one_is_refused() {
        assert_eq!(kinds(&[]), Ok(Kind::ALL.to_vec()));
        assert_eq!(kinds(&["apache"]), Ok(vec![Kind::Apache]));
        assert!(kinds(&["nginx", "nonesuch"]).is_err_and(|error| error.contains("nonesuch")));
    }

    #[test]
    fn the_usage_names_them_all() {
        for kind in Kind::ALL {
            assert!(crate::USAGE.contains(kind.name()), "{kind}");
        }
    }
}
