//! Vectors of the specifications, and what no key may do.

use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits = text
        .bytes()
        .filter_map(|digit| (digit as char).to_digit(16));
    let digits: Vec<u8> = digits.map(|digit| digit as u8).collect();
    digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect()
}

fn random() -> Random {
    Random::new(Zeroizing::new([1; 32]))
}

/// RFC 3961 appendix A.1.
#[test]
fn folding_is_that_of_the_specification() {
    assert_eq!(
        fold(b"kerberos")[..],
        hex("6b65726265726f737b9b5b2b93132b93")
    );
}

/// RFC 3962 appendix B: CBC with stealing, and lengths about the block.
#[test]
fn ciphertext_is_stolen_as_specified() {
    let aes = Aes::new(b"chicken teriyaki").expect("a key");
    let plain = b"I would like the General Gau's Chicken, please, and wonton soup.";
    for (length, sealed) in [
        (17, "c6353568f2bf8cb4d8a580362da7ff7f 97"),
        (
            31,
            "fc00783e0efdb2c1d445d4c8eff7ed22 97687268d6ecccc0c07b25e25ecfe5",
        ),
        (
            32,
            "39312523a78662d5be7fcbcc98ebf5a8 97687268d6ecccc0c07b25e25ecfe584",
        ),
        (
            47,
            "97687268d6ecccc0c07b25e25ecfe584 b3fffd940c16a18c1b5549d2f838029e \
             39312523a78662d5be7fcbcc98ebf5",
        ),
        (
            64,
            "97687268d6ecccc0c07b25e25ecfe584 39312523a78662d5be7fcbcc98ebf5a8 \
             4807efe836ee89a526730dbc2f7bc840 9dad8bbb96c4cdc03bc103e1a194bbd8",
        ),
    ] {
        let mut bytes = plain[..length].to_vec();
        aes.seal(&mut bytes);
        assert_eq!(bytes, hex(sealed), "{length}");
        aes.open(&mut bytes);
        assert_eq!(bytes, &plain[..length]);
    }
}

/// RFC 3962 appendix B, RFC 8009 appendix A.
#[test]
fn passwords_become_the_keys_of_the_specification() {
    let salt = b"ATHENA.MIT.EDUraeburn";
    let random = hex("10df9dd783e5bc8acea1730e74355f61");
    let salted = [&random, &salt[..]].concat();
    for (enctype, salt, rounds, key) in [
        (Aes128Sha1, &salt[..], 1, "42263c6e89f4fc28b8df68ee09799f15"),
        (
            Aes256Sha1,
            salt,
            1,
            "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161",
        ),
        (Aes128Sha1, salt, 1200, "4c01cd46d632d01e6dbe230a01ed642a"),
        (
            Aes256Sha1,
            salt,
            1200,
            "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a",
        ),
        (
            Aes128Sha256,
            &salted,
            32768,
            "089bca48b105ea6ea77ca5d2f39dc5e7",
        ),
        (
            Aes256Sha384,
            &salted,
            32768,
            "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467",
        ),
    ] {
        let made = Key::stretched(enctype, "password", salt, rounds);
        assert_eq!(made.bytes(), hex(key), "{enctype:?}, {rounds}");
    }
}

#[test]
fn rounds_are_bounded() {
    let rounds = |enctype: Enctype, rounds: u32| enctype.rounds_of(Some(&rounds.to_be_bytes()));
    assert_eq!(rounds(Aes256Sha1, 4096), Some(4096));
    assert_eq!(Aes256Sha384.rounds_of(None), Some(32768));
    // 0 stands for 2^32.
    for bad in [0, 1, 4095, MOST_ROUNDS + 1, u32::MAX] {
        assert_eq!(rounds(Aes256Sha1, bad), None, "{bad}");
    }
    assert_eq!(rounds(Aes256Sha384, 4096), None);
    assert_eq!(Aes256Sha1.rounds_of(Some(b"abc")), None);
}

/// RFC 8009 appendix A, with their confounders in front.
#[test]
fn what_others_have_sealed_opens() {
    let plain = hex("000102030405060708090a0b0c0d0e0f1011121314");
    let of_128 = "3705d96080c17728a0e800eab6e0d23c";
    let of_256 = "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52";
    for (enctype, key, length, sealed) in [
        (
            19,
            of_128,
            0,
            "ef85fb890bb8472f4dab20394dca781dad877eda39d50c870c0d5a0a8e48c718",
        ),
        (
            19,
            of_128,
            6,
            "84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c",
        ),
        (
            19,
            of_128,
            16,
            "3517d640f50ddc8ad3628722b3569d2ae07493fa8263254080ea65c1008e8fc2\
             95fb4852e7d83e1e7c48c37eebe6b0d3",
        ),
        (
            19,
            of_128,
            21,
            "720f73b18d9859cd6ccb4346115cd336c70f58edc0c4437c5573544c31c813bc\
             e1e6d072c186b39a413c2f92ca9b8334a287ffcbfc",
        ),
        (
            20,
            of_256,
            6,
            "4ed7b37c2bcac8f74f23c1cf07e62bc7b75fb3f637b9f559c7f664f69eab7b60\
             92237526ea0d1f61cb20d69d10f2",
        ),
        (
            20,
            of_256,
            21,
            "40013e2df58e8751957d2878bcd2d6fe101ccfd556cb1eae79db3c3ee86429f2\
             b2a602ac86fef6ecb647d6295fae077a1feb517508d2c16b4192e01f62",
        ),
    ] {
        let key = Key::new(enctype, &hex(key)).expect("a key");
        let opened = key.open(2, &hex(sealed)).expect("theirs");
        assert_eq!(*opened, plain[..length]);
        assert_eq!(key.open(3, &hex(sealed)), None, "another usage");
    }
}

/// Checksums that other implementations have: RFC 8009 appendix A, and MIT's own tests.
#[test]
fn checksums_are_those_of_others() {
    let bytes = hex("000102030405060708090a0b0c0d0e0f1011121314");
    for (enctype, key, usage, text, mac) in [
        (
            17,
            "9062430c8cda3388922e6d6a509f5b7a",
            3,
            &b"eight nine ten eleven twelve thirteen"[..],
            "01a4b088d45628f6946614e3",
        ),
        (
            18,
            "b1ae4cd8462aff1677053cc9279aac30b796fb81ce21474dd3ddbcfea4ec76d7",
            4,
            b"fourteen",
            "e08739e3279e2903ec8e3836",
        ),
        (
            19,
            "3705d96080c17728a0e800eab6e0d23c",
            2,
            &bytes,
            "d78367186643d67b411cba9139fc1dee",
        ),
        (
            20,
            "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52",
            2,
            &bytes,
            "45ee791567eefca37f4ac1e0222de80d43c3bfa06699672a",
        ),
    ] {
        let signer = Key::new(enctype, &hex(key)).expect("a key").signer(usage);
        let (front, back) = text.split_at(5);
        assert_eq!(*signer.sign(&[front, back]), hex(mac), "{enctype}");
        assert!(signer.is_good(&[text], &hex(mac)));
        assert!(!signer.is_good(&[text], &hex(mac)[1..]));
    }
}

#[test]
fn other_types_and_lengths_are_no_keys() {
    for enctype in [1, 3, 16, 23, 24, 0xffff] {
        assert!(Key::new(enctype, &[0; 16]).is_none(), "{enctype}");
    }
    assert!(Key::new(18, &[0; 16]).is_none());
    let key = Key::new(18, &[0x41; 32]).expect("a key");
    assert_eq!(format!("{key:?}"), "Key(Aes256Sha1)");
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_nothing_else_does(
        at in 0usize..4,
        plain in proptest::collection::vec(any::<u8>(), 0..200),
        change in any::<usize>(),
    ) {
        let key = Key::drawn(Enctype::ALL[at], &mut random());
        let mut sealed = key.seal(7, &plain, &mut random());
        prop_assert_eq!(sealed.len(), plain.len() + key.sealer(7).overhead());
        let opened = key.open(7, &sealed);
        prop_assert_eq!(opened.as_ref().map(|opened| &opened[..]), Some(&plain[..]));
        let at = change % sealed.len();
        prop_assert!(key.open(7, &sealed[..at]).is_none());
        sealed[at] ^= 1;
        prop_assert!(key.open(7, &sealed).is_none());
    }
}
