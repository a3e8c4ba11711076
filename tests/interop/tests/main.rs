//! Real clients on our servers, and our client on real servers. `table.md` lists each difference with its
//! reason. A difference that is not listed fails the test.

mod recipe_mcp;
mod recipes;
mod support;

use std::collections::HashMap;

use futures_util::{StreamExt, stream};
use support::{CLIENTS, Client, Engine, Folder, Row, RunsOn, SERVERS, Table};
use tokio::join;

/// The number of programs that run at the same time.
const AT_A_TIME: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn each_reads_and_comes_back_as_the_table_says() {
    let folder = Folder::new();
    let programs = CLIENTS
        .into_iter()
        .filter(|client| !matches!(client.runs_on, RunsOn::Page(_)));
    let programs = programs.map(|client| {
        let run = client.run(&folder);
        async move { (client, run.await) }
    });
    let programs = stream::iter(programs)
        .buffer_unordered(AT_A_TIME)
        .collect::<Vec<_>>();
    let pages = async {
        let mut runs = Client::run_in(Engine::Firefox, &folder).await;
        runs.extend(Client::run_in(Engine::Chromium, &folder).await);
        runs
    };
    let (programs, pages) = join!(programs, pages);
    let runs = programs.into_iter().chain(pages);
    let mut rows: HashMap<&str, Row> = runs
        .map(|(client, run)| (client.name, Row::of_client(client, &run, &folder)))
        .collect();
    let clients: Vec<Row> = CLIENTS
        .iter()
        .filter_map(|client| rows.remove(client.name))
        .collect();

    let folder = &folder;
    let servers = SERVERS.into_iter().map(|server| {
        let run = server.run(folder);
        async move { Row::of_server(server, &run.await, folder) }
    });
    let servers: Vec<Row> = stream::iter(servers).buffered(AT_A_TIME).collect().await;
    Table::new(&clients, &servers).check();
}
