use super::*;
use crate::amqp::Limits;
use lapin::protocol::{AMQPClass, basic, parse_class};
use proptest::prelude::*;

const LIMITS: Limits = Limits { body: 1_000, excerpt: 100, held: 100_000 };

/// A message of the broker to channel 1.
#[derive(Clone, Debug)]
struct Sent {
    key: Vec<u8>,
    section: Vec<u8>,
    body: Vec<u8>,
}

impl Sent {
    /// Its frames, with bodies in parts of so many bytes.
    fn frames(&self, tag: u64, part: usize) -> Vec<u8> {
        let string = |bytes: &[u8]| [&[bytes.len() as u8][..], bytes].concat();
        let arguments =
            [&string(b"me")[..], &tag.to_be_bytes(), &[0], &string(b"shop"), &string(&self.key)];
        let deliver = frame(METHOD, 1, &[&DELIVER, &arguments.concat()[..]].concat());
        let size = (self.body.len() as u64).to_be_bytes();
        let header = frame(HEADER, 1, &[&[0, 60, 0, 0][..], &size, &self.section].concat());
        let bodies = self.body.chunks(part).flat_map(|part| frame(BODY, 1, part));
        [deliver, header, bodies.collect()].concat()
    }
}

/// A message of the library's own making.
fn good(message_id: &str, body: Vec<u8>) -> Sent {
    let id = [&[message_id.len() as u8][..], message_id.as_bytes()].concat();
    Sent { key: b"order".to_vec(), section: [&[0, 1 << 7][..], &id].concat(), body }
}

/// A message as it arrives: tag, key, message id and body.
type Received = (u64, String, Option<String>, Vec<u8>);

/// What the library reads of a stream; fails if it cannot.
fn received(mut stream: &[u8]) -> Vec<Received> {
    let (mut messages, mut left) = (Vec::<Received>::new(), 0);
    while !stream.is_empty() {
        let size = u32_at(stream, 3) as usize;
        let payload = &stream[HEAD..HEAD + size];
        assert_eq!(stream[HEAD + size], FRAME_END);
        match stream[0] {
            METHOD => match parse_class(payload).unwrap() {
                (b"", AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver))) => {
                    let key = deliver.routing_key.to_string();
                    messages.push((deliver.delivery_tag, key, None, Vec::new()));
                }
                other => panic!("{other:?}"),
            },
            HEADER => {
                let (head, section) = payload.split_at(CONTENT_HEAD);
                let (rest, properties) = basic::parse_properties(section).unwrap();
                assert!(rest.is_empty());
                left = u64::from_be_bytes(*head.last_chunk().unwrap());
                let id = properties.message_id().as_ref().map(ToString::to_string);
                messages.last_mut().unwrap().2 = id;
            }
            BODY => {
                left -= size as u64;
                messages.last_mut().unwrap().3.extend_from_slice(payload);
            }
            kind => assert_eq!(kind, HEARTBEAT),
        }
        stream = &stream[HEAD + size + 1..];
    }
    assert_eq!(left, 0);
    messages
}

fn filter(limits: Limits) -> Filter {
    let inbox = Arc::new(Inbox::new(limits));
    inbox.open(1);
    Filter::new(inbox, 0)
}

fn fed(filter: &mut Filter, stream: &[u8], cut: usize) -> Vec<u8> {
    let mut output = Vec::new();
    stream.chunks(cut).for_each(|part| filter.feed(part, &mut output));
    output
}

#[test]
fn ordinary_frames_pass_untouched() {
    let stream = [
        A_HEARTBEAT.to_vec(),
        frame(METHOD, 0, &[0, 10, 0, 30, 0, 0, 0, 2, 0, 0, 0, 60]),
        good("id", vec![7; 900]).frames(1, 300),
        frame(METHOD, 1, &[0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 1, 0]),
        good("", Vec::new()).frames(2, 1),
    ];
    assert_eq!(fed(&mut filter(LIMITS), &stream.concat(), 5), stream.concat());
    // A response that is not AMQP also passes.
    assert_eq!(fed(&mut filter(LIMITS), b"HTTP/1.1 400", 3), b"HTTP/1.1 400");
}

#[test]
fn unreadable_properties_are_replaced_and_kept() {
    let mut filter = filter(LIMITS);
    let section = b"\0\x80\x01\xff".to_vec();
    let bad = Sent { section: section.clone(), key: b"k\xe9y".to_vec(), body: b"body".to_vec() };
    let stream =
        [good("a", vec![1]).frames(1, 9), bad.frames(2, 3), good("b", vec![2]).frames(3, 9)];
    let messages = received(&fed(&mut filter, &stream.concat(), 1));
    assert_eq!(messages[0], (1, "order".to_owned(), Some("a".to_owned()), vec![1]));
    assert_eq!(messages[1], (2, "k\u{fffd}y".to_owned(), None, b"body".to_vec()));
    assert_eq!(messages[2].0, 3);
    let reason = "message_id is not UTF-8".to_owned();
    let defect = Defect::Properties { reason, raw: section, body_bytes: 4 };
    assert_eq!(filter.inbox.defect(2), Some(defect));
    assert_eq!(filter.inbox.defect(1), None);
}

#[test]
fn a_large_body_is_cut_and_keeps_its_properties() {
    let mut filter = filter(LIMITS);
    let body: Vec<u8> = (0..2_000_u32).map(|byte| byte as u8).collect();
    let stream = [good("a", body.clone()).frames(1, 70), good("b", vec![2]).frames(2, 9)];
    let messages = received(&fed(&mut filter, &stream.concat(), 11));
    assert_eq!(messages[0], (1, "order".to_owned(), Some("a".to_owned()), body[..100].to_vec()));
    assert_eq!(messages[1].3, [2]);
    assert_eq!(filter.inbox.defect(1), Some(Defect::Body { bytes: 2_000 }));
}

#[test]
fn deliveries_beyond_the_bound_are_left_out_until_a_channel_is_opened() {
    let limits = Limits { held: 2_000, ..LIMITS };
    let mut filter = filter(limits);
    let stream: Vec<u8> = (1..=9).flat_map(|tag| good("a", vec![1; 200]).frames(tag, 50)).collect();
    assert_eq!(received(&fed(&mut filter, &stream, 13)).len(), 2);
    assert_eq!(filter.inbox.overrun(), Some(2));
    assert!(filter.inbox.settle(2).is_some_and(|mean| mean > 200));
    assert_eq!(received(&fed(&mut filter, &stream, 13)).len(), 0);
    filter.inbox.open(1);
    assert_eq!(received(&fed(&mut filter, &stream, 13)).len(), 2);
}

fn messages() -> impl Strategy<Value = Vec<(Sent, usize)>> {
    let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
    let section = prop_oneof![Just(vec![0, 0]), bytes(6), Just(b"\0\x80\x02id".to_vec())];
    let size = prop_oneof![0..300_usize, 900..1_200_usize, Just(3_000)];
    let sent = (bytes(8), section, size, 1..400_usize).prop_map(|(key, section, size, part)| {
        (Sent { key, section, body: (0..size).map(|byte| byte as u8).collect() }, part)
    });
    proptest::collection::vec(sent, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_library_reads_every_message_however_the_stream_is_cut(
        messages in messages(),
        cut in 1..50_usize,
    ) {
        let frames = |(index, (sent, part)): (usize, &(Sent, usize))| sent.frames(index as u64, *part);
        let stream: Vec<u8> = messages.iter().enumerate().flat_map(frames).collect();
        let seen = received(&fed(&mut filter(LIMITS), &stream, cut));
        prop_assert_eq!(seen.len(), messages.len());
        for ((_, _, _, body), (sent, _)) in seen.iter().zip(&messages) {
            let whole = sent.body.len() <= 1_000;
            prop_assert_eq!(body, if whole { &sent.body[..] } else { &sent.body[..100] });
        }
    }
}
