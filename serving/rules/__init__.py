"""Business rules: what may be shown to whom, in what order, how alike.

Comes in: an arm's ranked pool of products and the request's situation. Goes out: the items to show, with what the
rules added to each score. Called by `serving.path`; the files behind it are followed by `RuleBook`.
"""

from serving.rules.book import RuleBook
from serving.rules.choose import Chosen, Pool, choose
from serving.rules.compiled import CompiledRules
from serving.rules.followed import Refused
from serving.rules.load import RuleFile, read_rules
from serving.rules.situation import Situation

__all__ = ["Chosen", "CompiledRules", "Pool", "Refused", "RuleBook", "RuleFile", "Situation", "choose", "read_rules"]
