"""客户投诉：一条消息和它的标注。"""

from math import inf
from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator


class Entities(BaseModel):
    """消息里提到的时间和动作。"""

    time_frame: str = Field(description="消息里的时间，如“三天内”", min_length=1, max_length=20)
    action: str = Field(description="客户要求的动作，如“全额退款”", min_length=1, max_length=30)


class CustomerComplaint(BaseModel):
    """一条带标注的投诉。"""

    customer_intent: Literal["要求退款", "要求换货", "催促物流", "投诉升级"] = Field(
        description="客户想要什么"
    )
    sentiment: Literal["愤怒", "失望", "讽刺", "焦急"] = Field(description="消息的主要情绪")
    message: str = Field(description="客户写的消息", min_length=20, max_length=200)
    entities: Entities = Field(description="消息里的时间 time_frame 和动作 action")
    refund_amount: float = Field(description="客户要求退还的金额（元），没有则为 0", ge=0)

    @field_validator("refund_amount")
    @classmethod
    def not_above_the_order(cls, amount: float, info: ValidationInfo) -> float:
        """退款不能高于订单金额；不在一次运行里时没有订单，也就没有上限。"""
        order = (info.context or {}).get("order_amount", inf)
        if amount > order:
            raise ValueError(f"退款 {amount:g} 元高于订单金额 {order:g} 元")
        return amount
