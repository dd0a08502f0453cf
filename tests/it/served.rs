//! What any gRPC client can ask of a cloud before it knows it: what it serves, and whether that is well.

use aloft_tests::{
    cloud::{channel, socket},
    home::Home,
};
use futures_util::stream;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_service_is_listed_described_and_well() {
    let home = Home::new();
    home.json(["cloud", "start"]);
    let channel = channel(socket(&home)).await;
    let mut reflection = ServerReflectionClient::new(channel.clone());
    let mut ask = async |request| {
        let request =
            ServerReflectionRequest { message_request: Some(request), ..Default::default() };
        let mut answers =
            reflection.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
        answers.message().await.unwrap().unwrap().message_response.unwrap()
    };
    let listed = ask(MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(listed) = listed else { panic!("{listed:?}") };
    let listed: Vec<String> = listed.service.into_iter().map(|service| service.name).collect();
    let own: Vec<&String> = listed.iter().filter(|name| name.starts_with("aloft.v1.")).collect();
    assert!(own.len() >= 7, "{listed:?}");

    let mut health = HealthClient::new(channel);
    for service in own.into_iter().map(String::as_str).chain([""]) {
        if !service.is_empty() {
            let described = ask(MessageRequest::FileContainingSymbol(service.to_owned())).await;
            assert!(
                matches!(&described, MessageResponse::FileDescriptorResponse(files)
                    if !files.file_descriptor_proto.is_empty()),
                "{service}: {described:?}"
            );
        }
        let checked = health.check(HealthCheckRequest { service: service.to_owned() }).await;
        let status = checked.unwrap_or_else(|status| panic!("{service}: {status}")).into_inner();
        assert_eq!(status.status(), ServingStatus::Serving, "{service}");
    }
}
