"""Who is spoken of, and who says so, in English and Japanese; looked for in folded text."""

from __future__ import annotations

import re

KIN = (
    r"(?:wife|husband|partner|spouse|girlfriend|boyfriend|fianc[eé]e?|brother|sister|mother|mom|mum"
    r"|father|dad|son|daughter|kids?|child(?:ren)?|parents?|friends?|boss|manager|lead|colleagues?"
    r"|coworkers?|teammates?|roommate|flatmate|housemate|neighbou?r|uncle|aunt|cousin|grandm\w+"
    r"|grandf\w+|grandpa|niece|nephew|cat|dog|customers?|clients?|users?|guests?|students?|teacher)"
)

# What only people and animals do, said of somebody: "Alice lives in Oslo".
_DOES = (
    r"(?:likes|loves|hates|prefers|enjoys|adores|dislikes|detests|wants|lives|eats|drinks"
    r"|recommends"
    r"|believes|collects|craves|studies|speaks|plays|thinks|wishes)"
)
_DIET = r"(?:vegan|vegetarian|allergic|pescatarian|diabetic|pregnant|c(?:o)?eliac|intolerant)"

_JA_KIN = (
    r"(?:妻|夫|旦那|嫁|彼氏|彼女|彼|友達|友人|同僚|上司|部下|先輩|後輩|母|父|兄|弟|姉|妹|息子|娘"
    r"|子供|子ども|家族|両親|祖父"
    r"|新人|新入社員|担当者|社員|候補者|応募者|利用者|ユーザー|知人|知り合い|おばあ|おじい|彼ら"
    r"|祖母|叔父|叔母|甥|姪|隣の人|隣人|お?客(?:様|さま|さん)?|(?:部|課|社|係|室|店|院|校|会|所"
    r"|班|組|学|隊|市)長|先生"
    r"|あなた|みんな|誰か|(?<!たく)さん|くん|君|ちゃん|氏|様|さま"
    r"|うちの(?!会社|チーム|部署|職場|プロジェクト|サービス)[^\s、。はがもを]{1,6})(?:たち)?"
)

OTHER = re.compile(
    r"\b(?:my|our|his|her|their|your) (?:\w+ )?" + KIN + r"\b"
    r"|\b(?:grand(?:ma|pa)|granny|mom|mum|dad|auntie)\b|\bthe (?:new )?(?:hire|intern|ceo|cto"
    r"|guy|lady"
    r"|candidate|speaker|kids)\b"
    r"|\b(?:he|she|they|people|everyone|everybody|someone|somebody)(?:'s|'re)?\s+"
    r"(?:\w+ )?(?:likes?|loves?|hates?|prefers?|is|are|enjoys?|wants?|has|have|lives?|works?|eats?"
    r"|said|says|told|think|thinks)\b"
    r"|\b(?!it\b|that\b|this\b|there\b|what\b|i\b|we\b)[a-z]+ (?:said|says|told me|claims|wrote)\b"
    r"|\byou(?:'re| are| (?:really )?(?:like|love|hate|prefer|enjoy))\b"
    r"|@[\w.-]+(?:'s)? (?:\w+ )?(?:is|are|has|was|" + _DOES + r")\b"
    r"|^\W*(?!(?:nothing|nobody|who|what|my (?:heart|body|stomach|soul))\b)(?:[\w.@'-]+ ){1,4}?"
    r"(?:also |really |never |always |just )?" + _DOES + r"\b"
    r"|^\W*(?!(?:it|this|that|i'?m?|we|my (?:diet|favou?rite|food|lunch"
    r"|dinner))\b)(?:[\w.@-]+ ){1,3}?"
    r"(?:is|are|was) (?:also |a |an |strictly )?" + _DIET + r"\b"
    r"|^\W*(?!(?:it|this|that|who|what|food|dinner|lunch)'s)[\w.@-]+'s (?:also |a |an )?"
    + _DIET
    + r"\b"
    r"|" + _JA_KIN + r"(?:は|も|って|、(?=[^、。]{0,12}(?:好|嫌|苦手|だって)))"
    # Not 「娘がいます」, nor 「母が作るカレーが好き」: there the person has, and likes.
    r"|" + _JA_KIN + r"が(?![^、。]{0,8}(?:い(?:る|ます|て)|[\d一二三四五]人|でき|生まれ))"
    r"(?![^、。はがを]{1,12}(?:る|た|う|く|す|む|ぶ|つ|ない)"
    r"(?=[\u3400-\u9fffァ-ヶーa-z0-9])[^、。はがも]{1,14}[がはもをにでへと])"
    # 「同僚の佐藤は」, not 「妻の料理は」.
    r"|(?:同僚|友人|友達|知人|知り合い|上司|部下|先輩|後輩|弟|妹|兄|姉|息子|娘|夫)の"
    r"(?!店|家|話|料理|車|会社|作|趣味|手)[\u3400-\u9fffァ-ヶー]{1,5}[はがも]"
    r"|(?:と|って)(?:言って|言った|言われ|聞い|いって|いった)"
)

# What somebody says of the person, or of anybody, is not what the person says.
HEARSAY = re.compile(
    r"\b(?:(?:my|our|the) (?!doctor|gp|dentist|physician|therapist|dietitian"
    r"|nutritionist)[\w ]{2,20}?"
    r"|he|she|they|people|everyone|everybody|someone|somebody|@[\w.-]+|the \w+|you)"
    r" (?:always |often |just |once )?(?:says?|said|thinks?|thought|claims?|claimed|tells?|told"
    r"|believes?"
    r"|insists?|swears?|wrote|writes|reckons?)\b(?! (?:hi|hello)\b)"
    r"|\b(?:rumou?r has it|apparently|supposedly|allegedly|legend has it|word (?:is|has it)"
    r"|according to)"
    r"\b|\b(?:i've )?(?:heard|read) (?:that|somewhere)\b"
    r"|(?:だ|た|い|る|好き|な|の)らしい|(?:だ|た|る|い)そう(?:で|だ|です)|とのこと|んだって(?:$"
    r"|[。!ねさ])|に(?:よると|よれば)"
    r"|噂|ことになってい|(?:って|と)[^、。]{0,8}(?:が|は|も)?(?:言って(?:た|い)|言った|話して)"
)

# "I think Tanaka loves natto" and "he told me" do not make it the person's own.
FRAME = re.compile(
    r"\b(?:i|we) (?:think|know|heard|hear|guess|believe|suppose|bet|said|told you|noticed|see)\b"
    r"|\b(?:told|tells|asked|asks|gave|gives|showed|shows|texted|wrote) (?:me|us)\b"
)
FIRST_PERSON = re.compile(
    r"\b(?:i|i'm|i've|i'd|i'll|im|ive|we|we're|we've|mine|call(?:s|ed)? me|(?:to|for) me|me too"
    r"|gives? me|makes? me|me\?)\b"
    r"|(?:私|わたし|僕|ぼく|俺|おれ|自分)(?:は|も|が|の|と|には|的|、)|うち(?:は|も|が|では)"
    r"|我々|わたしたち|個人的"
)

REPORTED = re.compile(
    r"\b(?:said|says|say|told|tells|claims?|claimed|wrote|writes|thinks?|believes?|heard)\b"
    r"|\b(?:joking|kidding|sarcas\w*|not true|don't think|doubt|never said|as if|yeah right)\b"
    r"|(?:と|って)(?:言|書|聞|思わ|いう(?:の|わけ)|は限ら)|冗談|嘘|うそ|わけ(?:では|じゃ)ない"
    r"|なんて(?:ね|嘘)"
)
