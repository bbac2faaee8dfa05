"""Hand-made events for tests that need a small shop with known scores."""

import model
import workload

TIME = "2026-11-23T10:00:00.250Z"


def person(role, name):
    return f"hello-retail-web/{role}/amzn1.{name.upper()}0123456789/{name}"


def event(kind, product, origin, **more):
    fields = {
        model.CREATE: {"brand": "b", "name": "n", "description": "d", "category": "c"},
        model.IMAGE: {"image": "i"},
        model.PURCHASE: {},
    }[kind]
    data = {"schema": kind, "id": product, **fields}
    return {"schema": model.INGRESS, "origin": origin, "timeOrigin": TIME, "data": data, **more}


def puts(events):
    return [workload.to_put(one, one["data"]["id"], "") for one in events]


def product(product_id, merchant=None, photographer=None, purchases=0):
    """The events of one product, in order. Without a merchant it is never registered."""
    events = [event(model.CREATE, product_id, merchant)] if merchant else []
    events += [event(model.IMAGE, product_id, photographer)] if photographer else []
    return events + [event(model.PURCHASE, product_id, person("customer", "Cy"))] * purchases
