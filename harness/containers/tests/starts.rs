//! Every server starts, opens the right mailbox for each account, rejects at once, and is gone afterwards.
//!
//! Without a Docker daemon the trials are listed as ignored; with REQUIRE_DOCKER=1 they fail instead.
#![allow(clippy::unwrap_used)]

#[path = "../../tests/docker/mod.rs"]
mod docker;
mod login;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use loginspec_containers::{CONTAINER_LABEL, HOST_LABEL, PROCESS_LABEL, Running, Service, StartError};
use testcontainers::bollard::models::ContainerCreateBody;
use testcontainers::bollard::query_parameters::{CreateContainerOptions, ListContainersOptionsBuilder};
use testcontainers::core::client::docker_client_instance;

use crate::docker::{Docker, runtime};
use crate::login::{Opened, Tls, Way};

fn main() {
    let mut arguments = Arguments::from_args();
    // They count containers.
    arguments.test_threads = Some(1);

    let docker = Docker::find();
    let trials = vec![
        Trial::test("an_unknown_name_gets_the_known_ones", an_unknown_name_gets_the_known_ones),
        docker
            .trial("dovecot_2_4_opens_the_mailboxes_of_its_accounts", dovecot_2_4_opens_the_mailboxes_of_its_accounts),
        docker.trial("dropped_without_a_runtime_it_is_removed", dropped_without_a_runtime_it_is_removed),
        docker.trial("an_interrupted_start_leaves_nothing", an_interrupted_start_leaves_nothing),
        docker.trial("a_leftover_is_swept", a_leftover_is_swept),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn an_unknown_name_gets_the_known_ones() -> Result<(), Failed> {
    let error = runtime().block_on(loginspec_containers::start("dovecot")).unwrap_err();
    assert!(matches!(error, StartError::UnknownName { .. }), "{error:?}");
    let told = error.to_string();
    assert!(told.starts_with("find a container called 'dovecot'; there are: courier-5.0, "), "{told}");
    assert!(told.contains(", dovecot-2.4, ") && !told.contains("misbehaving"), "{told}");
    assert_eq!(loginspec_containers::target_file("dovecot"), None);
    Ok(())
}

fn dovecot_2_4_opens_the_mailboxes_of_its_accounts() -> Result<(), Failed> {
    runtime().block_on(async {
        let server = loginspec_containers::start("dovecot-2.4").await?;
        check_logins(&server);
        assert!(server.logs().await.contains("Dovecot v2.4"), "{}", server.logs().await);
        server.stop().await;
        assert_eq!(own_containers().await, Vec::<String>::new());
        Ok(())
    })
}

fn check_logins(server: &Running) {
    let authority = server.authority().unwrap().to_vec();
    let way = |server: Option<SocketAddr>, tls: Tls| {
        let server = server.unwrap();
        assert!(server.ip().is_loopback());
        Way { server, tls }
    };
    let imap = [
        way(server.address(Service::Imap), Tls::None),
        way(server.address(Service::Imap), Tls::After("s STARTTLS", authority.clone())),
        way(server.address(Service::Imaps), Tls::AtOnce(authority.clone())),
    ];
    let pop3 = [
        way(server.address(Service::Pop3), Tls::None),
        way(server.address(Service::Pop3), Tls::After("STLS", authority.clone())),
        way(server.address(Service::Pop3s), Tls::AtOnce(authority)),
    ];
    let accounts = [
        ("Same", "Secret-Same", "Same"),
        ("User1", "Secret-User1", "Mailbox1"),
        ("Alice", "Secret-Alice", "Bob"),
        ("Bob", "Secret-Bob", "Alice"),
        ("same@Domain1", "Secret-Same", "Same"),
        ("User1@domain1", "Secret-User1", "Mailbox1"),
    ];
    for (user, password, mailbox) in accounts {
        let opened = Opened::Mailbox(mailbox.to_owned());
        for (imap, pop3) in imap.iter().zip(&pop3) {
            assert_eq!(login::over_imap(imap, user, password), opened, "{user} over IMAP, {}", imap.tls);
            assert_eq!(login::over_pop3(pop3, user, password), opened, "{user} over POP3, {}", pop3.tls);
        }
    }
    for (user, password) in [("User1", "Secret-Same"), ("Mailbox1", "Secret-User1"), ("Nobody", "x")] {
        for (imap, pop3) in imap.iter().zip(&pop3) {
            let began = Instant::now();
            let answer = login::over_imap(imap, user, password);
            assert!(matches!(&answer, Opened::Nothing(line) if line.starts_with("a NO ")), "{user}: {answer:?}");
            let answer = login::over_pop3(pop3, user, password);
            assert!(matches!(&answer, Opened::Nothing(line) if line.starts_with("-ERR")), "{user}: {answer:?}");
            assert!(began.elapsed() < Duration::from_secs(2), "{user}: {:?}", began.elapsed());
        }
    }
}

fn dropped_without_a_runtime_it_is_removed() -> Result<(), Failed> {
    let first = runtime();
    let server = first.block_on(loginspec_containers::start("dovecot-2.4"))?;
    assert_eq!(first.block_on(own_containers()).len(), 1);
    drop(first);
    drop(server);
    assert_eq!(runtime().block_on(own_containers()), Vec::<String>::new());
    Ok(())
}

fn an_interrupted_start_leaves_nothing() -> Result<(), Failed> {
    runtime().block_on(async {
        // Whatever the start is doing by then: asking, creating, starting, or waiting for the greeting.
        for millis in [5, 50, 100, 200, 300, 400, 500, 600] {
            let start = loginspec_containers::start("dovecot-2.4");
            drop(tokio::time::timeout(Duration::from_millis(millis), start).await);
            assert_eq!(own_containers().await, Vec::<String>::new(), "after {millis} ms");
        }
        Ok(())
    })
}

fn a_leftover_is_swept() -> Result<(), Failed> {
    runtime().block_on(async {
        let server = loginspec_containers::start("dovecot-2.4").await?;
        let docker = docker_client_instance().await?;
        let [own] = own_containers().await.try_into().unwrap();
        let inspected = docker.inspect_container(&own, None).await?;
        let config = inspected.config.unwrap();

        let mut labels = config.labels.unwrap();
        assert!(labels.contains_key(HOST_LABEL), "{labels:?}");
        // Our process id, but of a process that started before ours.
        labels.insert(PROCESS_LABEL.to_owned(), format!("{} 1", std::process::id()));
        let leftover = ContainerCreateBody { image: config.image, labels: Some(labels), ..Default::default() };
        docker.create_container(None::<CreateContainerOptions>, leftover).await?;
        assert_eq!(own_containers().await.len(), 2);

        assert_eq!(loginspec_containers::sweep().await?, 1);
        assert_eq!(own_containers().await, [own]);
        server.stop().await;
        Ok(())
    })
}

/// The containers of this test's own process: another run may have some of its own.
async fn own_containers() -> Vec<String> {
    let docker = docker_client_instance().await.unwrap();
    let ours = HashMap::from([("label", vec![CONTAINER_LABEL.to_owned()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let containers = docker.list_containers(Some(options)).await.unwrap();
    let our_id = format!("{} ", std::process::id());
    let is_own = |labels: &HashMap<String, String>| labels.get(PROCESS_LABEL).is_some_and(|it| it.starts_with(&our_id));
    let own = containers.into_iter().filter(|it| it.labels.as_ref().is_some_and(is_own));
    own.filter_map(|it| it.id).collect()
}
