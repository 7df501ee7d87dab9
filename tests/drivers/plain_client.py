"""A client without a single file of ours: what it knows of the contract it learns from the driver, by reflection.

Walks level RUN by unary calls only. `python plain_client.py HOST:PORT ARGUMENT=VALUE…`; needs grpcio and grpcio-reflection.
"""

import sys
import uuid

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "eutectic.instrument.v1.InstrumentService"


def main(address: str, *given: str) -> None:
    channel = grpc.insecure_channel(address)
    database = ProtoReflectionDescriptorDatabase(channel)
    assert SERVICE in list(database.get_services()), "the service is listed"
    pool = descriptor_pool.DescriptorPool(database)
    service = pool.FindServiceByName(SERVICE)

    def call(name: str, **fields):
        method = service.methods_by_name[name]
        assert not method.server_streaming and not method.client_streaming, f"{name} is unary"
        request = message_factory.GetMessageClass(method.input_type)(**fields)
        answer = message_factory.GetMessageClass(method.output_type)
        send = channel.unary_unary(
            f"/{SERVICE}/{name}", request_serializer=lambda it: it.SerializeToString(), response_deserializer=answer.FromString
        )
        return send(request, timeout=40)

    def refused(reason: str, name: str, **fields):
        try:
            call(name, **fields)
        except grpc.RpcError as error:
            assert error.details().startswith(reason + ":"), f"{name}: {error.details()}"
        else:
            raise AssertionError(f"{name} was to be refused: {reason}")

    instrument = call("ListInstruments").instruments[0]
    own = {"instrument": instrument.id}
    assert call("GetInstrument", **own).instrument.manifest_digest == instrument.manifest_digest
    capability = instrument.capabilities[0]
    wanted = dict(pair.split("=", 1) for pair in given)
    arguments = []
    for field in capability.parameters:
        kind = field.WhichOneof("domain")
        if not field.required and field.id not in wanted:
            continue
        if kind == "quantity":
            middle = (field.quantity.minimum + field.quantity.maximum) / 2
            number = float(wanted.get(field.id, middle))
            value = {"quantity": {"value": number, "unit": field.quantity.unit}}
        elif kind == "choice":
            value = {"choice": wanted.get(field.id, field.choice.choices[0].id)}
        else:
            value = {kind: wanted[field.id]}
        arguments.append({"id": field.id, "value": value})

    def execute(token: int, operation: str) -> dict:
        return {
            **own,
            "operation_id": operation,
            "fencing_token": token,
            "capability": capability.id,
            "capability_version": capability.version,
            "arguments": arguments,
            "request_hash": bytes(32),
        }

    def lease(epoch: int):
        return call("AcquireLease", **own, holder="a plain client", holder_epoch=epoch, ttl={"seconds": 60}).lease

    first, second = lease(1), lease(2)
    assert second.fencing_token > first.fencing_token
    token = call("RenewLease", **own, fencing_token=second.fencing_token).lease.fencing_token
    refused("LEASE_HELD", "AcquireLease", **own, holder="another", holder_epoch=1, ttl={"seconds": 60})
    run, never = str(uuid.uuid4()), str(uuid.uuid4())
    assert not call("ValidateOperation", execute=execute(token, run)).HasField("fault")
    refused("STALE_TOKEN", "Execute", **execute(first.fencing_token, run))
    refused("OPERATION_NOT_FOUND", "GetOperation", **own, operation_id=run)
    assert not call("Execute", **execute(token, run)).attached
    assert call("Execute", **execute(token, run)).attached, "the same id attaches"
    refused("OPERATION_ID_REUSED", "Execute", **{**execute(token, run), "request_hash": bytes([1] * 32)})
    states = pool.FindMessageTypeByName("eutectic.instrument.v1.Operation").enum_types_by_name["State"].values_by_name
    seen = 0
    while True:
        operation = call("GetOperation", **own, operation_id=run, last_seen_sequence=seen, wait={"seconds": 10}).operation
        seen = operation.last_sequence
        if operation.state >= states["STATE_SUCCEEDED"].number:
            break
    assert operation.state == states["STATE_SUCCEEDED"].number, operation
    tombstone = call("AbortOperation", **own, operation_id=never, fencing_token=token).operation
    assert tombstone.state == states["STATE_ABORTED"].number
    assert call("Execute", **execute(token, never)).attached, "a tombstone attaches a late Execute"
    assert {it.id for it in call("ListOperations", **own).operations} >= {run, never}
    halt = call("Halt", **own, reason="a plain client's walk").status.halt_id
    refused("HALTED", "Execute", **execute(token, str(uuid.uuid4())))
    call("ClearHalt", **own, halt_id=halt, person="a plain client", statement="nothing was wrong")
    assert call("GetStatus", **own).status.halt_id == ""
    call("ReleaseLease", **own, fencing_token=token)
    print(f"walked {instrument.id}: {capability.id}, {len(operation.measurements)} measurements")


main(*sys.argv[1:])
