//! What is written is read back; what was not written is refused, whoever made it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

mod common;

use common::{bundle, longrun, process_mut, sample};
use graph::{DecodeError, Graph, LogTo, Service, ServiceId, View, encode, rescue};

fn refused(change: impl FnOnce(&mut Graph)) -> DecodeError {
    let mut graph = sample();
    change(&mut graph);
    View::open(&encode(&graph)).expect_err("a graph that is not valid was accepted")
}

/// `bytes` after `change`, with length, hash and checksum put right again.
fn resealed(bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    let length = u32::try_from(bytes.len()).unwrap();
    bytes[16..20].copy_from_slice(&length.to_le_bytes());
    let hash = bytes[36..].iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    bytes[28..36].copy_from_slice(&hash.to_le_bytes());
    let crc = crc32fast::hash(&bytes[12..]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn what_is_encoded_is_decoded() {
    for graph in [sample(), rescue(), Graph::default()] {
        let bytes = encode(&graph);
        assert_eq!(View::open(&bytes).unwrap().graph(), graph);
        assert_eq!(encode(&graph), bytes);
    }
}

#[test]
fn one_service_is_read_without_the_others() {
    let graph = sample();
    let bytes = encode(&graph);
    let view = View::open(&bytes).unwrap();
    assert_eq!(view.len(), 5);
    assert!(!view.is_empty());
    assert_eq!(view.operators(), graph.operators);
    assert_eq!(view.shutdown_budget_ms(), 90_000);
    assert_eq!(view.watchdog(), graph.watchdog);
    for (id, service) in view.ids().zip(&graph.services) {
        assert_eq!(view.name(id), Some(service.name.as_str()));
        assert_eq!(view.find(&service.name), Some(id));
        assert_eq!(view.service(id).as_ref(), Ok(service));
    }
    assert_eq!(view.find("cri"), Some(ServiceId(1)));
    assert_eq!(view.find("a-runtime"), Some(ServiceId(1)));
    assert_eq!(view.find("crio"), None);
    assert_eq!(view.name(ServiceId(5)), None);
    assert_eq!(view.service(ServiceId(5)), Err(DecodeError::Record(ServiceId(5))));
    assert_eq!(view.service(ServiceId(u32::MAX)), Err(DecodeError::Record(ServiceId(u32::MAX))));
}

#[test]
fn every_truncation_is_refused() {
    let bytes = encode(&sample());
    for length in 0..bytes.len() {
        assert!(View::open(&bytes[..length]).is_err(), "{length} bytes were accepted");
    }
    let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
    assert_eq!(View::open(&longer).err(), Some(DecodeError::Truncated));
}

#[test]
fn every_flipped_bit_is_refused() {
    let bytes = encode(&sample());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(View::open(&flipped).is_err(), "flipped bit {bit} was not noticed");
    }
}

#[test]
fn a_changed_byte_with_a_right_checksum_never_panics_and_never_breaks_an_invariant() {
    // Whatever still opens must be a graph of which all that View promises is true.
    let bytes = encode(&sample());
    for at in 20..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, bytes[at].wrapping_add(1)] {
            let changed = resealed(&bytes, |bytes| bytes[at] = value);
            if let Ok(view) = View::open(&changed) {
                let graph = view.graph();
                assert_eq!(graph.services.len(), view.len());
                assert!(View::open(&encode(&graph)).is_ok(), "byte {at} = {value}");
            }
        }
    }
}

#[test]
fn the_header_is_read_before_anything_else() {
    let bytes = encode(&sample());
    assert_eq!(View::open(b"").err(), Some(DecodeError::Magic));
    assert_eq!(View::open(&[0; 100]).err(), Some(DecodeError::Magic));
    let newer = resealed(&bytes, |bytes| bytes[12] = 99);
    assert_eq!(View::open(&newer).err(), Some(DecodeError::Version(99)));
    let mut wrong_hash = bytes.clone();
    wrong_hash[28] ^= 1;
    let crc = crc32fast::hash(&wrong_hash[12..]);
    wrong_hash[8..12].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(View::open(&wrong_hash).err(), Some(DecodeError::Checksum));
}

#[test]
fn absurd_counts_and_lengths_are_refused_at_once() {
    let bytes = encode(&sample());
    for count in [6_u32, 1 << 20, u32::MAX - 1, u32::MAX] {
        for at in [20, 24] {
            let absurd = resealed(&bytes, |bytes| {
                bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
            });
            assert!(View::open(&absurd).is_err(), "{count} at {at}");
        }
    }
    // A record whose first string says that it is 4 GiB long.
    let first = u32::from_le_bytes(bytes[36..40].try_into().unwrap());
    let first = usize::try_from(first).unwrap();
    let absurd = resealed(&bytes, |bytes| {
        bytes[first..first + 5].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    });
    assert_eq!(View::open(&absurd).err(), Some(DecodeError::Record(ServiceId(0))));
}

/// `bytes` with `more` inserted at `at`, and every offset behind it moved.
fn inserted(bytes: &[u8], at: usize, more: &[u8], names: usize) -> Vec<u8> {
    let offsets = (0..6).map(|n| 36 + 4 * n);
    let index = (0..names).map(|n| 36 + 4 * 6 + 8 * n);
    let mut bytes = bytes.to_vec();
    for offset in offsets.chain(index) {
        let value = u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap());
        if usize::try_from(value).unwrap() >= at {
            let value = value + u32::try_from(more.len()).unwrap();
            bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        }
    }
    bytes.splice(at..at, more.iter().copied());
    bytes
}

#[test]
fn a_byte_that_belongs_to_no_service_is_refused() {
    let bytes = encode(&sample());
    let end = u32::from_le_bytes(bytes[36 + 20..36 + 24].try_into().unwrap());
    let end = usize::try_from(end).unwrap();
    let padded = resealed(&bytes, |bytes| *bytes = inserted(bytes, end, &[0], 7));
    assert_eq!(View::open(&padded).err(), Some(DecodeError::Record(ServiceId(4))));
}

#[test]
fn a_name_that_is_nobodys_is_refused() {
    // An entry of the index more, in its place, that leads to some other text.
    let mut graph = sample();
    graph.services[3].description = "zzz".into();
    let bytes = encode(&graph);
    let index_end = 36 + 4 * 6 + 8 * 7;
    let moved = inserted(&bytes, index_end, &[0; 8], 7);
    let text = moved.windows(4).position(|window| window == b"\x03zzz").unwrap();
    let lying = resealed(&moved, |bytes| {
        bytes[24] = 8;
        bytes[index_end..index_end + 4]
            .copy_from_slice(&u32::try_from(text).unwrap().to_le_bytes());
    });
    assert_eq!(View::open(&lying).err(), Some(DecodeError::Names));
}

#[test]
fn a_relation_that_points_forward_outside_or_twice_is_refused() {
    let relation = |id, what| DecodeError::Relation(ServiceId(id), what);
    let ids = |ids: &[u32]| -> Vec<ServiceId> { ids.iter().map(|&id| ServiceId(id)).collect() };
    type Pick = fn(&mut Service) -> &mut Vec<ServiceId>;
    let before: [(&str, Pick); 3] = [
        ("requires", |service| &mut service.requires),
        ("wants", |service| &mut service.wants),
        ("after", |service| &mut service.after),
    ];
    for (what, pick) in before {
        // Itself, forward (a cycle, if the other one depends on it), outside, twice, unsorted.
        for bad in [&[2][..], &[3], &[4], &[u32::MAX], &[0, 0], &[1, 0]] {
            let error = refused(|graph| *pick(&mut graph.services[2]) = ids(bad));
            assert_eq!(error, relation(2, what), "{bad:?}");
        }
    }
    for bad in [&[5][..], &[u32::MAX], &[0], &[2, 1]] {
        let error = refused(|graph| graph.services[0].conflicts = ids(bad));
        assert_eq!(error, relation(0, "conflicts"), "{bad:?}");
    }
    let unsorted = refused(|graph| {
        graph.services[0].conflicts = ids(&[2, 1]);
        graph.services[1].conflicts = ids(&[0, 2]);
        graph.services[2].conflicts = ids(&[0, 1]);
    });
    assert_eq!(unsorted, relation(0, "conflicts"));
    assert_eq!(refused(|graph| graph.services[2].conflicts.clear()), relation(1, "conflicts"));
    let consumer = |id| {
        refused(|graph| process_mut(&mut graph.services[1]).log.to = LogTo::Service(ServiceId(id)))
    };
    assert_eq!(consumer(1), relation(1, "log"));
    assert_eq!(consumer(9), relation(1, "log"));
}

#[test]
fn a_name_that_is_there_twice_is_refused() {
    assert_eq!(refused(|graph| graph.services[1].name = "network".into()), DecodeError::Names);
    let provides = |name: &str| refused(|graph| graph.services[3].provides = vec![name.into()]);
    assert_eq!(provides("network"), DecodeError::Names);
    assert_eq!(provides("cri"), DecodeError::Names);
    assert_eq!(provides("kubelet"), DecodeError::Names);
}

#[test]
fn an_index_of_names_that_lies_is_refused() {
    let bytes = encode(&sample());
    let index = 36 + 4 * 6;
    for entry in 0..7 {
        let at = index + 8 * entry + 4;
        for id in 0..6_u8 {
            let lying = resealed(&bytes, |bytes| bytes[at] = id);
            if bytes[at] != id {
                assert_eq!(View::open(&lying).err(), Some(DecodeError::Names), "{entry} {id}");
            }
        }
    }
}

#[test]
fn a_thousand_services_are_found_by_name() {
    let mut services: Vec<Service> = (0..999).map(|n| longrun(&format!("s{n:03}"))).collect();
    services.push(bundle("default"));
    let graph = Graph { services, ..Graph::default() };
    let bytes = encode(&graph);
    let view = View::open(&bytes).unwrap();
    for (id, service) in view.ids().zip(&graph.services) {
        assert_eq!(view.find(&service.name), Some(id));
    }
}
