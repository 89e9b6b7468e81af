import asyncio, pytest
from datetime import datetime, UTC, timedelta
from memory import *
from memory import Selection, forget, undo_forgetting, list_changes, selected
from tests.conftest import login_of

ALICE=Person("T1","UALICE")
SRC={"kind":"command"}
@pytest.mark.asyncio
async def test_smoke(pool, embedder, database):
    dm=ALICE.namespace(DM)
    def said(n): return {"kind":"message","channel":"D1","ts":f"17000000{n:02}.000100","evidence":f"I like food{n}"}
    made=[]
    for n in range(3):
        made += await add_memories(pool, embedder, dm, "UserFoodPreference", [({"food_name":f"food{n}"}, said(n))])
    assert [c.action for c in made]==["remembered"]*3
    ms=await list_memories(pool, ALICE)
    assert len(ms)==3
    e=await edit_memory(pool, embedder, ALICE, made[0].key, {"food_name":"food0","preference":50}, {"kind":"modal"}, seen=ms[-1].updated_at)
    assert e.action=="updated"
    h=await list_changes(pool, ALICE, key=made[0].key)
    assert [(c.action,c.changed_since,c.undone_at) for c in h]==[("updated",False,None),("remembered",True,None)], h
    u=await undo_change(pool, embedder, ALICE, e.id)
    assert u.action=="restored" and u.after==made[0].after
    h=await list_changes(pool, ALICE, key=made[0].key)
    print([(c.action,c.changed_since,c.undone_at) for c in h])
    assert [(c.action,c.changed_since,c.undone_at is not None) for c in h]==[("restored",False,False),("updated",True,True),("remembered",False,False)]
    with pytest.raises(ChangeGone):
        await undo_change(pool, embedder, ALICE, e.id)
    m=await move_memory(pool, embedder, ALICE, made[0].key, PUBLIC)
    assert m.moved_from==dm
    await undo_change(pool, embedder, ALICE, m.id)
    before=await list_memories(pool, ALICE)
    for sel,n in ((Selection(keys=[made[1].key]),1),(Selection(channel="D1"),3),(Selection(messages=[("D1","1700000002.000100")]),1),(Selection(since=datetime.fromtimestamp(1700000001,UTC), until=datetime.fromtimestamp(1700000002,UTC)),1),(Selection(everything=True),3)):
        assert (await selected(pool, ALICE, sel)).count==n, sel
        f=await forget(pool, ALICE, sel)
        assert f.count==n and f.id
        assert len(await list_memories(pool, ALICE))==3-n
        assert (await undo_forgetting(pool, ALICE, f.id))==n
        assert before==await list_memories(pool, ALICE)
        with pytest.raises(ChangeGone):
            await undo_forgetting(pool, ALICE, f.id)
    assert (await forget(pool, ALICE, Selection(keys=["x"]))).id is None
    assert [m.key for m in await search_memories(pool, ALICE, "Food1")]==[made[1].key]
    assert (await memory_page(pool, ALICE, size=2)).total==3
    assert (await memory_page(pool, ALICE, size=2, words="food2")).total==1
    got=await recall_memories(pool, embedder, memory_view(dm), "food", whole=1)
    assert len(got.memories)==3 and not got.newest_only
    assert len(await similar_memories(pool, embedder, memory_view(dm), "food1"))==3
    s=await source_changed(pool, embedder, ALICE, "D1", "1700000002.000100", None)
    assert [c.action for c in s]==["removed"]
    await undo_change(pool, embedder, ALICE, s[0].id)
    assert len(await list_memories(pool, ALICE))==3
    f=await forget(pool, ALICE, Selection(everything=True))
    print(await forgotten_since(database, datetime.now(UTC)-timedelta(hours=1)))
    await expire_due(pool)
    x=await export_memories(pool, ALICE); print({k:len(v) for k,v in x.items() if isinstance(v,list)})
    r=await erase(pool, ALICE); print(r)
    assert not any(r.left.values())
