//! Results that are files.

use super::bench::{Bench, accepted, refused};
use super::data::{succeeded, succeeded_at_top};
use super::{Outcome, Stop, left_out, wrong};
use crate::machine::OPERATION_BYTES_MAX;
use crate::wire::instrument_service_client::InstrumentServiceClient;
use crate::wire::{self, Artifact};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

/// A message of ReadArtifact carries no more.
const PIECE_BYTES_MAX: usize = 1024 * 1024;
/// What check 48 asks for.
const LARGE_BYTES: i64 = 50_000_000;

/// The file from this byte on.
async fn read(bench: &mut Bench, operation_id: &str, artifact_id: &str, offset: i64) -> Result<Vec<u8>, Stop> {
    let request = wire::ReadArtifactRequest {
        instrument: bench.instrument.id.clone(),
        operation_id: operation_id.to_owned(),
        artifact_id: artifact_id.to_owned(),
        offset,
    };
    let mut patient = InstrumentServiceClient::new(bench.patient_channel());
    let mut pieces = accepted(patient.read_artifact(request).await, "ReadArtifact")?.into_inner();
    let mut content = Vec::new();
    while let Some(piece) = accepted(pieces.message().await, "ReadArtifact to its end")? {
        let at = offset + i64::try_from(content.len()).unwrap_or(i64::MAX);
        if piece.offset != at {
            let expected = format!("a piece that says offset {at}");
            return Err(wrong(
                expected,
                format!("offset {}", piece.offset),
                "count the bytes from the file's beginning",
            ));
        }
        if piece.data.len() > PIECE_BYTES_MAX {
            let came = format!("{} bytes", piece.data.len());
            return Err(wrong(
                "pieces of at most 1 MiB",
                came,
                "a gRPC message holds 4 MiB at most: send smaller ones",
            ));
        }
        content.extend(piece.data);
    }
    Ok(content)
}

fn whole(artifact: &Artifact, content: &[u8]) -> Outcome {
    if i64::try_from(content.len()).is_ok_and(|size| size == artifact.size_bytes)
        && Sha256::digest(content).as_slice() == artifact.sha256
    {
        return Ok(());
    }
    let came = format!("{} bytes, or another hash", content.len());
    let expected = format!("{} bytes with the SHA-256 of the artifact", artifact.size_bytes);
    Err(wrong(expected, came, "take size and hash of what is on the disk, once it is all there"))
}

pub(super) async fn resumes(bench: &mut Bench) -> Outcome {
    let operation = succeeded(bench).await?;
    let Some(artifact) = operation.artifacts.first().cloned() else {
        return Err(left_out("the capability brings no file"));
    };
    let content = read(bench, &operation.id, &artifact.id, 0).await?;
    whole(&artifact, &content)?;
    let middle = artifact.size_bytes / 2;
    let rest = read(bench, &operation.id, &artifact.id, middle).await?;
    if usize::try_from(middle).ok().and_then(|middle| content.get(middle..)) != Some(rest.as_slice()) {
        let came = format!("{} other bytes", rest.len());
        return Err(wrong("the rest of the file from an offset", came, "begin at the offset that is asked for"));
    }
    let unknown = wire::ReadArtifactRequest {
        instrument: bench.instrument.id.clone(),
        operation_id: operation.id.clone(),
        artifact_id: "no-such-file".to_owned(),
        offset: 0,
    };
    let answer = bench.client.read_artifact(unknown).await.map(|_| ());
    refused(answer, "ARTIFACT_NOT_FOUND", "compare the id with the operation's artifacts, and look in no folder for it")
}

pub(super) async fn stays_a_file(bench: &mut Bench) -> Outcome {
    let brings = |it: &wire::FieldSpec| matches!(it.domain, Some(wire::field_spec::Domain::Artifact(_)));
    if !bench.capability()?.outputs.iter().any(brings) {
        return Err(left_out("the capability brings no file"));
    }
    let operation = succeeded_at_top(bench).await?;
    let large = operation.artifacts.iter().find(|it| it.size_bytes >= LARGE_BYTES).cloned();
    let Some(artifact) = large else {
        return Err(left_out("no file of 50 MB came, at the top of the ranges; say --argument for one"));
    };
    let size = operation.encoded_len();
    if size > OPERATION_BYTES_MAX {
        let mend = "keep large results as artifacts: an operation is told again and again";
        return Err(wrong("an operation of at most 1 MiB", format!("{size} bytes"), mend));
    }
    let content = read(bench, &operation.id, &artifact.id, 0).await?;
    whole(&artifact, &content)
}
