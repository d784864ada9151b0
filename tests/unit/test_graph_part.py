"""What of a graph can run, when, and whose files it reads: on graphs of a few nodes."""

from __future__ import annotations

from typing import Any

import pytest
from tensorflow.core.framework.graph_pb2 import GraphDef

from model_store.trust.graph_part import PlacedNode, Run, runnable_nodes
from model_store.trust.import_time import computed_at_import
from model_store.trust.own_files import NameOrigins

TABLE = "InitializeTableFromTextFileV2"


def add_node(place: Any, name: str, op: str, *inputs: str, calls: str = "") -> None:
    node = place.add(name=name, op=op, input=inputs)
    if calls:
        node.attr["f"].func.name = calls


def add_function(graph_def: GraphDef, name: str, *arguments: str) -> Any:
    function = graph_def.library.function.add()
    function.signature.name = name
    for argument in arguments:
        function.signature.input_arg.add(name=argument)
    return function


def names(graph_def: GraphDef, run: Run) -> set[str]:
    return {f"{placed.function or ''}/{placed.node.name}" for placed in runnable_nodes(graph_def, run)}


@pytest.fixture
def chain() -> GraphDef:
    """a → b → c, with d only before c, and e apart."""
    graph_def = GraphDef()
    add_node(graph_def.node, "a", "Placeholder")
    add_node(graph_def.node, "b", "Identity", "a")
    add_node(graph_def.node, "c", "Add", "b:0", "b:1", "^d")
    add_node(graph_def.node, "d", "NoOp")
    add_node(graph_def.node, "e", "ReadFile", "a")
    return graph_def


def test_what_leads_to_a_target_can_run_and_nothing_else(chain: GraphDef) -> None:
    assert names(chain, Run(("c:0",))) == {"/a", "/b", "/c", "/d"}
    assert names(chain, Run(("e", "d"))) == {"/a", "/d", "/e"}
    assert names(chain, Run()) == set()
    assert names(chain, Run(("nothing",))) == set()


def test_what_leads_to_a_given_tensor_does_not_run(chain: GraphDef) -> None:
    # Only one of the two tensors of b is given, then both
    assert names(chain, Run(("c",), fed=frozenset(["b:0"]))) == {"/a", "/b", "/c", "/d"}
    assert names(chain, Run(("c",), fed=frozenset(["b:0", "b:1"]))) == {"/c", "/d"}


def test_a_node_that_must_run_before_runs_also_where_its_tensor_is_given(chain: GraphDef) -> None:
    assert "/d" in names(chain, Run(("c",), fed=frozenset(["d:0"])))


def test_two_nodes_and_two_functions_of_one_name_both_count(chain: GraphDef) -> None:
    add_node(chain.node, "b", "WriteFile")
    assert [placed.node.op for placed in runnable_nodes(chain, Run(("b",)))].count("WriteFile") == 1
    for op in ("Add", "WriteFile"):
        add_node(add_function(chain, "f").node_def, "n", op)
    assert {placed.node.op for placed in runnable_nodes(chain, Run(functions=("f",)))} == {"Add", "WriteFile"}


def test_a_circle_of_nodes_and_of_functions_ends() -> None:
    graph_def = GraphDef()
    add_node(graph_def.node, "a", "Merge", "b")
    add_node(graph_def.node, "b", "NextIteration", "a")
    add_node(add_function(graph_def, "f").node_def, "n", "PartitionedCall", calls="f")
    assert names(graph_def, Run(("a",), ("f",))) == {"/a", "/b", "f/n"}


def test_functions_that_are_called_in_any_way_can_run() -> None:
    # Given functions that are called by name, in an attribute, in a list, in an attribute of that, and not at all
    graph_def = GraphDef()
    add_node(graph_def.node, "by_name", "named")
    add_node(graph_def.node, "by_attribute", "While", calls="attribute")
    graph_def.node[1].attr["branches"].list.func.add(name="listed").attr["then"].func.name = "nested"
    for name in ("named", "attribute", "listed", "nested", "unused"):
        add_node(add_function(graph_def, name).node_def, "n", "NoOp")

    # Then all run but the last
    found = names(graph_def, Run(("by_name", "by_attribute")))
    assert found == {"/by_name", "/by_attribute", "named/n", "attribute/n", "listed/n", "nested/n"}


def test_what_a_function_calls_unless_its_caller_says_otherwise_can_run() -> None:
    graph_def = GraphDef()
    add_node(graph_def.node, "call", "caller")
    function = add_function(graph_def, "caller")
    function.signature.attr.add(name="F", type="func").default_value.func.name = "usual"
    function.node_def.add(name="n", op="PartitionedCall").attr["f"].placeholder = "F"
    add_node(add_function(graph_def, "usual").node_def, "n", "WriteFile")
    assert names(graph_def, Run(("call",))) == {"/call", "caller/n", "usual/n"}


def test_a_gradient_and_what_may_take_a_functions_place_can_run() -> None:
    graph_def = GraphDef()
    for name in ("cpu", "gpu", "other", "gradient"):
        function = add_function(graph_def, name)
        add_node(function.node_def, "n", "NoOp")
        function.attr["api_implements"].s = b"lstm" if name in ("cpu", "gpu") else b"else"
    graph_def.library.gradient.add(function_name="gpu", gradient_func="gradient")
    graph_def.library.function[3].ClearField("attr")
    assert names(graph_def, Run(functions=("cpu",))) == {"cpu/n", "gpu/n", "gradient/n"}


@pytest.fixture
def table() -> GraphDef:
    """A function that fills a table from the file of its first argument."""
    graph_def = GraphDef()
    function = add_function(graph_def, "fill", "file", "table")
    add_node(function.node_def, "same", "Identity", "file")
    add_node(function.node_def, "init", TABLE, "table", "same:output:0", "^same")
    return graph_def


def is_own(graph_def: GraphDef, run: Run) -> bool:
    """Whether every table that can be filled is filled from a file of the model's own."""
    nodes = runnable_nodes(graph_def, run)
    origins = NameOrigins(graph_def, run, nodes)
    return all(origins.is_own_file(placed) for placed in nodes if placed.node.op == TABLE)


def test_a_file_that_a_called_function_is_bound_to_is_the_models_own(table: GraphDef) -> None:
    assert is_own(table, Run(functions=("fill",), own_file_arguments={"fill": frozenset([0])}))
    assert not is_own(table, Run(functions=("fill",), own_file_arguments={"fill": frozenset([1])}))
    assert not is_own(table, Run(functions=("fill",)))


def test_every_call_of_a_function_must_give_it_a_file_of_the_models_own(table: GraphDef) -> None:
    run = Run(("call", "other"), fed=frozenset(["asset:0"]), own_files=frozenset(["asset:0"]))
    add_node(table.node, "asset", "Const")
    add_node(table.node, "call", "StatefulPartitionedCall", "asset", "t", calls="fill")
    assert is_own(table, run)
    add_node(table.node, "any", "Const")
    add_node(table.node, "other", "StatefulPartitionedCall", "any", "t", calls="fill")
    assert not is_own(table, run)


def test_a_call_whose_inputs_are_not_the_arguments_one_by_one_is_not_believed(table: GraphDef) -> None:
    add_node(table.node, "call", "If", "asset", "t", calls="fill")
    assert not is_own(table, Run(("call",), fed=frozenset(["asset:0"]), own_files=frozenset(["asset:0"])))


def test_a_function_that_tensorflow_may_put_in_anothers_place_is_not_believed(table: GraphDef) -> None:
    run = Run(functions=("fill",), own_file_arguments={"fill": frozenset([0])})
    table.library.function[0].attr["api_implements"].s = b"x"
    assert not is_own(table, run)
    table.library.function[0].ClearField("attr")
    table.library.gradient.add(function_name="f", gradient_func="fill")
    assert not is_own(table, run)


def test_a_name_that_goes_in_a_circle_is_not_believed() -> None:
    graph_def = GraphDef()
    add_node(graph_def.node, "a", "Identity", "b")
    add_node(graph_def.node, "b", "Identity", "a")
    add_node(graph_def.node, "init", TABLE, "t", "a")
    assert not is_own(graph_def, Run(("init",)))


def test_a_table_without_inputs_is_not_believed() -> None:
    graph_def = GraphDef()
    add_node(graph_def.node, "init", TABLE)
    assert not is_own(graph_def, Run(("init",)))
    run = Run(("init",))
    assert not NameOrigins(graph_def, run, []).is_own_file(PlacedNode(graph_def.node[0]))


def test_a_call_without_its_arguments_is_not_believed(table: GraphDef) -> None:
    add_node(table.node, "call", "PartitionedCall", calls="fill")
    assert not is_own(table, Run(("call",)))


def test_long_ways_and_many_ways_are_gone_through_once() -> None:
    # Given a name that passes 3,000 nodes, and then 30 functions that are called twice each
    graph_def = GraphDef()
    for number in range(3000):
        add_node(graph_def.node, f"n{number + 1}", "Identity", f"n{number}")
    for number in range(30):
        function = add_function(graph_def, f"f{number}", "file")
        for call in ("a", "b"):
            add_node(function.node_def, call, "PartitionedCall", "file", calls=f"f{number + 1}")
    add_node(add_function(graph_def, "f30", "file").node_def, "init", TABLE, "t", "file")
    add_node(graph_def.node, "call", "PartitionedCall", "n3000", calls="f0")
    assert is_own(graph_def, Run(("call",), fed=frozenset(["n0:0"]), own_files=frozenset(["n0:0"])))
    assert not is_own(graph_def, Run(("call",)))


def at_import(graph_def: GraphDef, op: str) -> set[str]:
    found = computed_at_import(graph_def, lambda name: name == "Iterator", lambda placed: placed.node.op == op)
    return {f"{placed.function or ''}/{placed.node.name}" for placed in found}


def test_what_follows_from_constants_alone_may_be_computed_at_import() -> None:
    graph_def = GraphDef()
    add_node(graph_def.node, "name", "Const")
    add_node(graph_def.node, "constant", "ReadFile", "name")
    add_node(graph_def.node, "text", "Placeholder")
    add_node(graph_def.node, "given", "ReadFile", "text", "name")
    add_node(graph_def.node, "iterator", "Iterator")
    add_node(graph_def.node, "next", "Identity", "iterator")
    add_node(graph_def.node, "iterated", "ReadFile", "next:1")
    # The shape of what is given may be known, and a name can be chosen by it
    add_node(graph_def.node, "shape", "Shape", "text")
    add_node(graph_def.node, "chosen", "ReadFile", "shape", "^text")
    function = add_function(graph_def, "f", "argument")
    add_node(function.node_def, "of_argument", "ReadFile", "argument")
    add_node(function.node_def, "inner", "Const")
    add_node(function.node_def, "of_constant", "ReadFile", "inner:output:0")
    assert at_import(graph_def, "ReadFile") == {"/constant", "/chosen", "f/of_constant"}
    assert at_import(graph_def, "WriteFile") == set()
