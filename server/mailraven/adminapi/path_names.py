"""What a path names, for the description of the API; allow() finds it, and handlers get it as principal.domain and
principal.account.
"""

from typing import Annotated

from fastapi import Path

DomainName = Annotated[str, Path(max_length=255, description="A domain; Unicode or A-labels.")]
AccountAddress = Annotated[str, Path(max_length=320, description="The address of an account.")]
