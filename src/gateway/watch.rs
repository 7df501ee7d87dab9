//! A driver's events, for people's eyes only: decisions wait for GetOperation, which loses nothing.

use super::member::View;
use eutectic_core::{InstrumentId, OperationId};
use eutectic_proto::instrument::v1 as wire;
use std::sync::{Arc, Mutex, PoisonError};
use tonic::transport::Channel;
use wire::instrument_event::Event;
use wire::instrument_service_client::InstrumentServiceClient;

/// Shows what the driver tells until the stream ends. A driver that offers no stream shows less.
pub(super) async fn watch(channel: Channel, instrument: InstrumentId, view: Arc<Mutex<View>>) {
    let mut client = InstrumentServiceClient::new(channel);
    let request = wire::WatchInstrumentRequest { instrument: instrument.to_string(), last_seen_sequence: 0 };
    let Ok(answer) = client.watch_instrument(request).await else { return };
    let mut events = answer.into_inner();
    while let Ok(Some(message)) = events.message().await {
        let Some(event) = message.event else { continue };
        let operation = OperationId::new(event.operation_id);
        let mut view = view.lock().unwrap_or_else(PoisonError::into_inner);
        match event.event {
            Some(Event::Status(status)) => {
                let readiness = status.readiness().as_str_name().trim_start_matches("READINESS_").to_lowercase();
                let shown = view.instruments.entry(instrument.clone()).or_default();
                shown.readiness = match status.message {
                    words if words.is_empty() => readiness,
                    words if words.starts_with(&readiness) => words,
                    words => format!("{readiness}: {words}"),
                };
            }
            Some(Event::Progress(progress)) => {
                // Only of what is attended: an entry is made by an answer and goes with the obligation.
                if let Some(known) = view.progress.get_mut(&operation) {
                    *known = (progress.fraction, progress.stage);
                }
            }
            Some(Event::Operation(_) | Event::Intermediate(_) | Event::Log(_)) | None => {}
        }
    }
}
