"""One message of each kind."""

from __future__ import annotations

import numpy as np

from loopcast_edge.wire import (
    Admission,
    Application,
    Assignment,
    Chunk,
    Condensed,
    Correction,
    Desired,
    DriftReference,
    EdgeEvent,
    Errors,
    EventBatch,
    FileIndex,
    Golden,
    Interval,
    Keys,
    Manifest,
    Measurement,
    Message,
    Order,
    Outcome,
    Output,
    PackageState,
    Paired,
    Presence,
    Profile,
    Receipt,
    Recipe,
    ReferenceColumn,
    Refusal,
    Renewal,
    Renewed,
    Reported,
    RoleKeys,
    RollbackOrder,
    Root,
    Sealed,
    Signature,
    Signed,
    SketchDay,
    Source,
    Subject,
    Tensor,
    Timestamp,
    Trial,
    TruthBatch,
    Update,
    encode,
)
from loopcast_edge.wire.codec import digest_of
from loopcast_edge.wire.recipe import Calendar, Category, Chosen, Lag, Number, Smoothed

NOON = 1_767_268_800_000  # 2026-01-01 12:00 in UTC
DAY = 86_400_000
FILE = digest_of(b"a model")

RECIPE = Recipe(
    step_seconds=1800,
    zone="Australia/Melbourne",
    holidays=(20_453, 20_454),
    measurements=(
        Measurement(name="temperature", unit="°C", minimum=-30.0, maximum=60.0, ahead=True),
        Measurement(name="load", unit="kW", minimum=0.0, oldest_seconds=3600.0),
        Measurement(name="mode", kind="category", required=False),
    ),
    steps=(
        Calendar(name="hour", of="hour"),
        Number(name="now", of="temperature"),
        Smoothed(name="warm", of="temperature", hours=24.0),
        Lag(name="yesterday", of="load", intervals=48),
        Category(name="mode_code", of="mode", known=("eco", "full")),
    ),
    features=("hour", "now", "warm", "yesterday", "mode_code"),
    target="load",
)


def tensor(*rows: list[float]) -> Tensor:
    return Tensor.of(np.array(rows))


MANIFEST = Manifest(
    logical_model="demand",
    segment="north",
    version="00112233445566aa",
    sequence=7,
    created=NOON,
    expires=NOON + 30 * DAY,
    runtimes={"litert": "1.3.0", "tflite_runtime": "2.14.0"},
    file=FILE,
    size=7,
    recipe=RECIPE,
    outputs=(Output(name="mean", series="north", lead=1, unit="kW", minimum=0.0),),
    golden=(
        Golden(
            features=tensor([12.0, 21.5, 20.25, 3.5, 0.0], [12.5, 21.5, 20.5, 3.75, 2.0]),
            output=tensor([3.25], [3.5]),
            absolute=1e-6,
        ),
    ),
    intervals=(Interval(coverage=0.9, below=(0.5,), above=(0.75,)),),
    profile=Profile(zone="Australia/Melbourne", values=Tensor.of(np.full((168, 1), 3.0))),
    reference=DriftReference(
        digest="00112233445566bb",
        columns=(
            ReferenceColumn(name="temperature", edges=(-5.0, 10.0, 20.0, 41.5), centre=15.0),
            ReferenceColumn(name="mode", kind="category", known=("eco", "full")),
        ),
    ),
    trial=Trial(seconds=7200, predictions=4, outcomes=2, error_ratio=1.2),
    correction=Correction(zone="Australia/Melbourne", day=1, week=0, coef=(0.25, 0.5, -0.125)),
    note="retrained on a warm spring",
)

LISTS = Manifest(
    logical_model="films",
    segment="",
    version="00112233445566cc",
    sequence=1,
    created=NOON,
    expires=NOON + 30 * DAY,
    runtimes={"litert": "1.3.0"},
    file=FILE,
    size=7,
    recipe=Recipe(
        step_seconds=1,
        measurements=(Measurement(name="chosen", kind="items"),),
        steps=(Chosen(name="chosen", of="chosen", known=("Heat (1995)", "Alien", "Ran")),),
        features=("chosen",),
    ),
    outputs=(
        *(
            Output(name=f"item {place}", place_in="chosen", minimum=-1.0, maximum=2.0)
            for place in (1, 2)
        ),
        *(Output(name=f"score {place}", beside=f"item {place}") for place in (1, 2)),
    ),
    golden=(
        Golden(
            features=tensor([0.0, 1.0, 0.0], [1.0, 1.0, 0.0]),
            output=tensor([2.0, 0.0, 0.75, 0.5], [2.0, -1.0, 1.25, 0.0]),
        ),
    ),
)

SIGNATURE = Signature(key=digest_of(b"a key"), signature=bytes(range(64)))


def signed(payload: Message) -> Signed:
    return Signed(payload=encode(payload), signatures=(SIGNATURE,))


PUBLIC = {digest_of(key): key for key in (bytes([n]) * 32 for n in range(1, 4))}
ROOT_KEY, TARGETS_KEY, TIMESTAMP_KEY = PUBLIC

ROLLBACK = RollbackOrder(
    logical_model="demand",
    segment="north",
    manifest=digest_of(encode(MANIFEST)),
    below=9,
    created=NOON,
    expires=NOON + DAY,
    reason="wrong on Sunday",
)
ROOT = Root(
    version=1,
    created=NOON,
    expires=NOON + 365 * DAY,
    keys=PUBLIC,
    root=RoleKeys(keys=(ROOT_KEY,)),
    targets=RoleKeys(keys=(TARGETS_KEY,)),
    timestamp=RoleKeys(keys=(TIMESTAMP_KEY,)),
)
TIMESTAMP = Timestamp(
    version=12, created=NOON, expires=NOON + DAY, root=1, withdrawn=(digest_of(b"bad"),)
)

ERRORS = Errors(n=2, total=-0.25, absolute=0.75, squares=0.3125)

EXAMPLES: dict[str, Message] = {
    "manifest": MANIFEST,
    "manifest_of_lists": LISTS,
    "signed_manifest": signed(MANIFEST),
    "rollback": ROLLBACK,
    "root": ROOT,
    "timestamp": TIMESTAMP,
    "keys": Keys(roots=(signed(ROOT),), timestamp=signed(TIMESTAMP)),
    "desired": Desired(
        sequence=3,
        packages=(
            Assignment(logical_model="demand", segment="north", manifest=digest_of(b"one")),
            Assignment(
                logical_model="demand", segment="north", manifest=digest_of(b"two"), role="shadow"
            ),
        ),
        rollbacks=(signed(ROLLBACK),),
    ),
    "order": Order(do="report"),
    "reported": Reported(
        agent="loopcast-edge 0.1.0",
        runtime="litert 2.3.0",
        at=NOON,
        sequence=3,
        root=1,
        pending=2,
        packages=(
            PackageState(
                logical_model="demand",
                segment="north",
                manifest=digest_of(b"one"),
                role="champion",
                stage="running",
                since=NOON - DAY,
                received=4,
                chunks=4,
                predictions=48,
                fallbacks=1,
                slowest_us=350,
                errors=ERRORS,
                paired=Paired(
                    other=digest_of(b"two"),
                    mine=ERRORS,
                    others=ERRORS,
                    difference=0.0,
                    difference_squares=0.125,
                ),
            ),
        ),
    ),
    "presence": Presence(online=True, since=NOON),
    "events": EventBatch(
        outbox="0011223344556677",
        sequence=41,
        sources=(
            Source(
                logical_model="demand",
                segment="north",
                version="00112233445566aa",
                inputs=("temperature", "mode"),
                outputs=("mean",),
            ),
            Source(
                logical_model="films",
                segment="",
                version="00112233445566cc",
                inputs=("chosen",),
                outputs=("item 1", "item 2", "score 1", "score 2"),
            ),
        ),
        events=(
            EdgeEvent(
                source=0,
                key="north|30min|2026-01-01T12:30:00+00:00",
                time=NOON,
                inputs=(21.5, "eco"),
                outputs=(3.25,),
                latency_us=180,
            ),
            EdgeEvent(
                source=0,
                key="north|30min|2026-01-01T13:00:00+00:00",
                time=NOON + 1_800_000,
                inputs=(None, "full"),
                outputs=(3.0,),
                action="fallback",
            ),
            EdgeEvent(
                source=1,
                key="ann",
                time=NOON,
                inputs=("Heat (1995),Alien",),
                outputs=("Ran", None, 1.25, None),
            ),
        ),
        condensed=(Condensed(source=0, start=NOON - DAY, end=NOON - 1, count=48, sums=(150.5,)),),
    ),
    "truth": TruthBatch(
        outbox="0011223344556677",
        sequence=42,
        subjects=(
            Subject(logical_model="demand", segment="north"),
            Subject(logical_model="films", segment=""),
        ),
        outcomes=(
            Outcome(
                subject=0,
                key="north|30min|2026-01-01T12:30:00+00:00",
                observed=NOON + 3_600_000,
                value=3.5,
            ),
            Outcome(subject=1, key="ann", observed=NOON + 3_600_000, value="Ran\nAlien"),
        ),
    ),
    "sketch": SketchDay(
        outbox="0011223344556677",
        sequence=43,
        logical_model="demand",
        segment="north",
        version="00112233445566aa",
        role="champion",
        day=20_454,
        bins="00112233445566bb",
        rows=2,
        counts=b"\x01\x02",
        moments=np.array([2.0, 4.0, 15.0, 17.0], "<f4").tobytes(),
        slowest_us=180,
        errors=ERRORS,
    ),
    "update": Update(
        outbox="0011223344556677",
        sequence=44,
        logical_model="demand",
        segment="north",
        version="00112233445566aa",
        zone="Australia/Melbourne",
        clip=5.0,
        inputs=("one", "day_sin_1", "day_cos_1"),
        n=2,
        gram=(2.0, 0.5, -0.25, 1.25, 0.125, 0.75),
        cross=(-0.25, -0.5, 0.125),
        squares=0.3125,
    ),
    "receipt": Receipt(outbox="0011223344556677", stored=(41, 42, 43)),
    "index": FileIndex(
        file=FILE,
        size=7,
        body=FILE,
        body_size=7,
        chunk_size=512,
        chunks=(bytes.fromhex(FILE),),
    ),
    "sealed": Sealed(sender=bytes(range(32)), box=bytes(range(64))),
    "application": Application(device="meter-7", token="t" * 43, request=b"a request in PEM"),
    "admission": Admission(
        certificate=b"a certificate in PEM",
        authority=b"the authority's in PEM",
        root=signed(ROOT),
    ),
    "refusal": Refusal(reason="the token has expired; ask for a new one"),
    "renewal": Renewal(request=b"a request in PEM"),
    "renewed": Renewed(certificate=b"a certificate in PEM"),
    "chunk": Chunk(body=FILE, number=0, data=b"a model"),
}
