"""Object storage, the only thing through which sites meet."""

from archipel.store.objects import Object, ObjectInfo, Objects, Store
from archipel.store.pace import Link

__all__ = ["Link", "Object", "ObjectInfo", "Objects", "Store"]
