"""A graph: each price that comes in is judged and told.

From 0.6 on a reactor of its own says what the graph reacts to; in 0.5 the graph itself does.
"""

import cloaca

GRAPH = {"judge": {"inputs": ["price"], "next": "tell"}, "tell": {}}

if hasattr(cloaca, "reactor"):

    @cloaca.reactor(name="on_price", accumulators=["price"], mode="when_any")
    class OnPrice:
        """Reacts to each price."""

    signals = cloaca.ComputationGraphBuilder("price_signals", reactor=OnPrice, graph=GRAPH)
else:
    signals = cloaca.ComputationGraphBuilder(
        "price_signals", react={"mode": "when_any", "accumulators": ["price"]}, graph=GRAPH
    )

with signals:

    @cloaca.node
    def judge(price):
        """Say whether the price is high."""
        return {"price": price["price"], "high": price["price"] > 100}

    @cloaca.node
    def tell(judged):
        """Put it into words."""
        return {"signal": f"{judged['price']} is {'high' if judged['high'] else 'fair'}"}
