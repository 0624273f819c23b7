"""What is cut off before tokenizing is nothing that a model would have read, in whatever language."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from ingest.embed.embedder import default_embedder_path
from ingest.embed.readable import readable_part

SENTENCES = {
    "English": "Every employee has thirty days of leave a year and asks for them two weeks before. ",
    "German": "Arbeitsunfähigkeitsbescheinigungen sind der Personalabteilung unverzüglich vorzulegen. ",
    "Finnish": "Työntekijällä on kolmekymmentä lomapäivää vuodessa, ja lomasta ilmoitetaan etukäteen. ",
    "Greek": "Κάθε εργαζόμενος έχει τριάντα ημέρες άδειας τον χρόνο. ",
    "Arabic": "لكل موظف ثلاثون يوما من الإجازة في السنة ويطلبها قبل أسبوعين. ",
    "Hindi": "हर कर्मचारी को साल में तीस दिन की छुट्टी मिलती है। ",
    "Chinese": "每位员工每年有三十天假期。须提前两周申请。",
    "Japanese": "すべての従業員には年間三十日の休暇があり、二週間前に申請してください。",
    "Korean": "모든 직원은 일 년에 삼십 일의 휴가가 있으며 두 주 전에 신청합니다. ",
    "Thai": "พนักงานทุกคนมีวันลาพักร้อนสามสิบวันต่อปีและต้องแจ้งหัวหน้างานล่วงหน้าอย่างน้อยสองสัปดาห์ ",
    "Khmer": "បុគ្គលិកទាំងអស់មានថ្ងៃឈប់សម្រាកសាមសិបថ្ងៃក្នុងមួយឆ្នាំ ហើយត្រូវជូនដំណឹងជាមុនពីរសប្តាហ៍។ ",
    "Lao": "ພະນັກງານທຸກຄົນມີວັນພັກສາມສິບວັນຕໍ່ປີ ແລະ ຕ້ອງແຈ້ງລ່ວງໜ້າສອງອາທິດ ",
    "Burmese": "ဝန်ထမ်းတိုင်းသည် တစ်နှစ်လျှင် ခွင့်ရက်သုံးဆယ် ရရှိသည်။ ",
    "Python": "def leave(days: int) -> int:\n    return days * 8  # hours\n",
    "table": "| Leave                                   |                 30 |\n",
    "base64": "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVyIGFkaXBpc2NpbmcgZWxpdC4gU2Vk\n",
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(default_embedder_path() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@pytest.mark.slow
@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("max_tokens", [254, 510])
def test_a_model_reads_the_same_tokens_as_of_the_whole_text(
    tokenizer: Tokenizer, language: str, max_tokens: int
) -> None:
    sentence = SENTENCES[language]
    text = sentence * (70_000 // len(sentence))
    part = readable_part(text, max_tokens)
    assert len(part) < len(text)
    read, whole = (tokenizer.encode(each, add_special_tokens=False).ids[:max_tokens] for each in (part, text))
    assert len(whole) == max_tokens
    assert read == whole


def test_a_model_that_does_not_say_how_much_it_reads_is_given_a_lot() -> None:
    assert len(readable_part("a" * 5_000_000, None)) == len(readable_part("a" * 5_000_000, 8192)) < 5_000_000
