"""Object storage, the only thing through which sites meet."""

from archipel.store.objects import Object, ObjectInfo, Store

__all__ = ["Object", "ObjectInfo", "Store"]
