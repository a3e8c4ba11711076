//! Event streams beside gRPC.

use http::Request;
use sse_proto::deps::bytes::Bytes;

use crate::support::{EventStream2, Server, TONIC};

/// A message without a field, which asks for the health of all, and what says that it serves: the field 1 is 1.
const CHECK: &[u8] = &[0, 0, 0, 0, 0];
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 1 << 3, 1];

#[tokio::test]
async fn a_call_is_answered_on_the_connection_of_an_open_stream() {
    let server = Server::start(TONIC, 0, 600);
    let mut stream = EventStream2::open(server.address, None).await;
    let greeting = stream.greeting().await;

    let method = format!("http://{}/grpc.health.v1.Health/Check", server.address);
    let call = Request::post(method)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("a request");
    let answer = stream.request(call, Bytes::from_static(CHECK)).await;
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    let mut body = answer.into_body();
    let message = body.data().await.expect("a message").expect("it is whole");
    assert_eq!(message, SERVING);
    let trailers = body.trailers().await.expect("the connection is open");
    assert_eq!(trailers.expect("trailers")["grpc-status"], "0");

    server.echo("here");
    let came = stream.until_bytes(greeting.len() + 40).await;
    assert!(came.ends_with("-1\ndata: here\n\n"), "{came}");
}
