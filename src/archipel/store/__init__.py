"""Object storage, the only thing through which sites meet."""

from archipel.store.objects import ObjectInfo, Store

__all__ = ["ObjectInfo", "Store"]
