"""What can be managed. The registry: one line a kind, in the order in which people think of them."""

from lbstack.kinds.contract import Kind
from lbstack.kinds.dataset import Dataset
from lbstack.kinds.integration import Integration
from lbstack.kinds.member.kind import Member
from lbstack.kinds.ontology.kind import Ontology
from lbstack.kinds.project import Project
from lbstack.kinds.webhook import Webhook

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Integration(),
        Dataset(),
        Ontology(),
        Project(),
        Member(),
        Webhook(),
    )
}
