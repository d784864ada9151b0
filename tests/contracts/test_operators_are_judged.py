"""Every operator of the installed TensorFlow is allowed or refused by a group of operators.toml."""

from __future__ import annotations

from collections import Counter

import tensorflow as tf
from tensorflow.python.framework import op_def_registry
from tensorflow.python.framework.c_api_util import ApiDefMap

from model_store.trust.operators import LIST_FILE, NAME_INPUTS, UNKNOWN, group_of, read_groups, refusal


def test_every_operator_of_tensorflow_is_in_a_group() -> None:
    unjudged = [name for name in ApiDefMap().op_names() if group_of(name) is None]
    assert not unjudged, (
        f"TensorFlow {tf.__version__} has operators that {LIST_FILE.name} does not judge; they are refused until each "
        f"is in a group whose reason holds for it: {', '.join(unjudged)}"
    )


def test_an_operator_that_is_in_no_group_is_refused() -> None:
    assert refusal("OfNextYear", {}) == UNKNOWN


def test_no_operator_is_in_two_groups_or_unknown_to_tensorflow() -> None:
    known = set(ApiDefMap().op_names())
    names = Counter(name for group in read_groups() for name in group.operators)
    assert [name for name, count in names.items() if count > 1] == []
    assert set(names) <= known
    assert len(names) > 1800


def test_every_operator_that_reads_a_named_file_is_looked_at() -> None:
    (group,) = (group for group in read_groups() if group.name == "named_files")
    assert group.operators == set(NAME_INPUTS)


def test_what_can_do_more_than_compute_is_refused() -> None:
    wanted = {
        *("ReadFile", "WriteFile", "MatchingFiles", "SaveV2", "MergeV2Checkpoints", "PyFunc", "EagerPyFunc"),
        *("TextLineDataset", "TFRecordDatasetV2", "CacheDatasetV2", "SnapshotDatasetV2", "DatasetFromGraph"),
        *(
            "DebugIdentityV3",
            "CreateSummaryFileWriter",
            "RpcServerStart",
            "RemoteCall",
            "XlaCallModule",
            "ImmutableConst",
        ),
        *("LoadAndRemapMatrix", "FixedUnigramCandidateSampler", "Abort", "MlirPassthroughOp", "_Recv", "TPUExecute"),
    }
    assert {name for name in wanted if (group := group_of(name)) is None or group.is_allowed} == set()


def test_no_allowed_operator_takes_the_name_of_a_file() -> None:
    """Looks for inputs and attributes that are called like one, in all that is allowed without a look at them."""
    suspicious = ("file", "path", "directory", "pattern", "url", "address", "host", "uri")
    unlooked = [group for group in read_groups() if group.is_allowed and not group.name.startswith("named_")]
    found = {
        f"{name}.{argument.name}"
        for group in unlooked
        for name in group.operators
        for definition in [op_def_registry.get(name)]
        for argument in (*definition.input_arg, *definition.attr)
        if any(word in argument.name for word in suspicious)
    }
    # Regular expressions, paths through a search, memory of the processor, and a hint to those that read its strings.
    assert found == {
        *(
            "RegexFullMatch.pattern",
            "RegexReplace.pattern",
            "StaticRegexFullMatch.pattern",
            "StaticRegexReplace.pattern",
        ),
        *("CTCBeamSearchDecoder.top_paths", "CudnnRNNBackpropV2.host_reserved", "CudnnRNNBackpropV3.host_reserved"),
        "TensorSliceDataset.is_files",
    }
