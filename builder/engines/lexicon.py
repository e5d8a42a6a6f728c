"""Readable made-up text, English or Chinese, varied enough that rows differ."""

import random


def _words(text: str) -> list[str]:
    return text.replace("\n", "").split("|")


SUBJECTS = _words(
    """
the courier|our warehouse|the refund desk|a patient customer|the night shift|my neighbour|
the repair shop|a new colleague|the support bot|the store manager|an old friend|
the delivery team|the quality lab|a careful reader|the second driver|the billing office|
a tired traveller|the local branch|the product designer|one of the testers
"""
)
VERBS = _words(
    """
answered|checked|delayed|explained|forgot|found|ignored|labelled|measured|missed|opened|
packed|promised|questioned|replaced|returned|signed|solved|traced|weighed
"""
)
OBJECTS = _words(
    """
the broken hinge|a late parcel|the first invoice|two wrong labels|an empty box|
the spare battery|a faded receipt|the winter coat|an odd noise|the missing cable|
a second opinion|the loose screw|a scratched screen|the quiet motor|the longer route|
a polite letter|an early warning|the blue charger|the final price|a small discount
"""
)
TAILS = _words(
    """
before noon|after the storm|without a word|for the third time|in good faith|
at the counter|during the sale|over the phone|with some luck|on Tuesday|against the rules|
by mistake|under pressure|near the harbour|since last week|in two languages|
despite the rain|with great care|as agreed|out of habit
"""
)
HAN_SUBJECTS = _words(
    """
客服主管|仓库同事|夜班快递员|隔壁邻居|老顾客|门店经理|质检小组|新来的实习生|维修师傅|
财务专员|社区团长|产品经理|物流司机|售后热线|一位读者|测试工程师|采购部门|前台接待|
远方的朋友|值班医生
"""
)
HAN_VERBS = _words(
    """
核对了|忘记了|退回了|解释了|发现了|更换了|耽搁了|承诺了|拆开了|记录了|追问了|修好了|
签收了|拒绝了|称量了|比较了|补寄了|标错了|打听了|整理了
"""
)
HAN_OBJECTS = _words(
    """
破损的包装|迟到的包裹|第一张发票|备用电池|贴错的标签|遗失的数据线|划伤的屏幕|褪色的小票|
松动的螺丝|奇怪的噪音|最终报价|蓝色充电器|两份说明书|一封道歉信|更远的路线|冬季外套|
空空的纸箱|优惠券|退款申请|安静的电机
"""
)
HAN_TAILS = _words(
    """
在午饭之前|暴雨过后|一声不响地|已经是第三次|当着大家的面|在大促期间|通过电话|凭着经验|
上周二|不合规定地|因为疏忽|顶着压力|在码头附近|从上周开始|用两种语言|冒着大雨|格外小心地|
按照约定|出于习惯|临下班时
"""
)


def sentence(rng: random.Random, *, chinese: bool) -> str:
    """One sentence of made-up text."""
    if chinese:
        parts = [HAN_SUBJECTS, HAN_TAILS, HAN_VERBS, HAN_OBJECTS]
        return "".join(rng.choice(part) for part in parts) + rng.choice("。。。!")
    parts = [SUBJECTS, VERBS, OBJECTS, TAILS]
    line = " ".join(rng.choice(part) for part in parts)
    return line[0].upper() + line[1:] + "."


def phrase(rng: random.Random, *, chinese: bool) -> str:
    """A few words without a full stop."""
    if chinese:
        return rng.choice(HAN_VERBS)[:2] + rng.choice(HAN_OBJECTS)
    return rng.choice(OBJECTS) + " " + rng.choice(TAILS)


def text(rng: random.Random, least: int, most: int, *, chinese: bool) -> str:
    """Made-up text of `least` to `most` characters."""
    if most < (12 if chinese else 40):
        sentences = phrase(rng, chinese=chinese)
    else:
        sentences = sentence(rng, chinese=chinese)
        for _ in range(rng.randrange(3)):
            sentences += ("" if chinese else " ") + sentence(rng, chinese=chinese)
    while len(sentences) < least:
        sentences += ("" if chinese else " ") + sentence(rng, chinese=chinese)
    if len(sentences) > most:
        sentences = sentences[:most]
        if (
            not chinese
            and " " in sentences
            and len(cut := sentences.rpartition(" ")[0]) >= max(least, 1)
        ):
            sentences = cut
    if sentences != sentences.strip() and len(sentences.strip()) < least:
        sentences = sentences.strip().ljust(least, "。" if chinese else ".")
    return sentences.strip()


def is_chinese(prompt: str) -> bool:
    """Whether a prompt is mostly written in Chinese characters."""
    han = sum("一" <= char <= "鿿" for char in prompt)
    letters = sum(char.isascii() and char.isalpha() for char in prompt)
    return han * 2 > letters
