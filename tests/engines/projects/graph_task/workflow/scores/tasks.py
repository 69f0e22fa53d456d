"""A workflow one task of which invokes a graph."""

import cloaca

scoring = cloaca.ComputationGraphBuilder("scoring", graph={"score": {}})
with scoring:

    @cloaca.node
    def score(context):
        """Score the customer in the context."""
        return {"points": context["orders"] * 10}


@cloaca.task(id="read_orders")
def read_orders(context):
    """Count the orders of the customer."""
    context.set("orders", len(context.get("items", [])))
    return context


@cloaca.task(id="score_customer", dependencies=["read_orders"], invokes=scoring)
def score_customer(context):
    """Let the graph score the customer."""
    return context
