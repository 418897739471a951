"""Invented captions and profile texts in ten languages, as JSON text; every one has words and numbers of its own."""

from __future__ import annotations

import json
import random


def _encoded(*texts: str) -> tuple[bytes, ...]:
    return tuple(json.dumps(text, ensure_ascii=False)[1:-1].encode() for text in texts)


LANGUAGES = (
    _encoded(
        "Hoy os enseño cómo preparo el desayuno de los domingos en casa con mi familia",
        "Por fin ha llegado el día que llevábamos meses esperando y no puedo estar más contenta",
        "¿Sois más de mar o de montaña? Os leo en comentarios, que siempre me dais ideas",
        "Esta receta es facilísima: tres ingredientes, veinte minutos y listo para la mesa",
        'Mi abuela siempre decía: "lo bueno se hace despacio", y cuánta razón tenía',
        "Nueva colección disponible en la web, gracias de corazón por todo vuestro cariño",
        "Un rincón precioso que descubrimos paseando sin rumbo por las calles del barrio",
        "Guarda esta publicación para tu próxima escapada y cuéntame qué te parece",
    ),
    _encoded(
        "This morning we woke up before sunrise and walked down to the beach with coffee",
        "I have been testing these running shoes for a month and here is my honest review",
        "Save this post for later, you will thank me when the weekend comes around",
        'People keep asking me how I plan the week, and the answer is: "badly, but with joy"',
        "So grateful for everyone who came to the workshop, we are already planning the next",
        "Three things I wish somebody had told me before I started my own small business",
        "New video is out, the link is in my bio and the comments are open for questions",
        "What is your favourite place to eat in the city? Tell me below and I will go",
    ),
    _encoded(
        "Bom dia, gente! Hoje o treino foi pesado mas a vista compensou cada minuto",
        "Uma receita simples para quem chega tarde em casa e ainda quer comer bem",
        "Obrigada por cada mensagem de vocês, leio tudo com muito carinho",
        "Qual é o melhor lugar para viajar em julho? Deixem as dicas nos comentários",
    ),
    _encoded(
        "Petite balade au marché ce matin, les couleurs de l'été sont enfin là",
        "Je vous prépare une surprise pour la semaine prochaine, restez attentifs",
        "La recette complète est sur le blog, dites-moi si vous l'avez essayée",
        "Merci à toute l'équipe pour cette journée de tournage incroyable",
    ),
    _encoded(
        "Heute nehme ich euch mit in die Werkstatt und zeige, wie alles entsteht",
        "Endlich Wochenende: raus in die Berge und das Telefon in der Tasche lassen",
        "Das Rezept findet ihr wie immer im Profil, viel Spaß beim Nachkochen",
        "Welche Farbe gefällt euch besser? Schreibt es mir in die Kommentare",
    ),
    _encoded(
        "Questa mattina colazione in terrazza con vista sul mare e tanta voglia di estate",
        "La nuova collezione è arrivata in negozio, venite a trovarci questo fine settimana",
        "Un piccolo consiglio per chi comincia a correre: ascoltate sempre il vostro corpo",
        "Grazie di cuore a tutti quelli che hanno reso possibile questa serata",
    ),
    _encoded(
        "Avui hem pujat al cim abans que sortís el sol i ha valgut molt la pena",
        "Us expliquem com fem el pa de cada dia amb farina dels nostres camps",
        "Moltes gràcies a tothom per acompanyar-nos en aquesta festa major",
    ),
    _encoded(
        "今日は友達と一緒に新しいカフェに行ってきました。とても美味しかったです",
        "週末の旅行の写真です。みなさんのおすすめの場所も教えてください",
        "新しい動画を公開しました。プロフィールのリンクから見てくださいね",
    ),
    _encoded(
        "صباح الخير يا أصدقاء، اليوم أشارككم وصفة سهلة وسريعة لكل أفراد العائلة",
        "شكرا لكل من شاركنا هذه اللحظات الجميلة في المدينة القديمة",
        "ما هو مكانكم المفضل للسفر في الصيف؟ اكتبوا لي في التعليقات",
    ),
    _encoded(
        "Сегодня мы гуляли по старому городу и нашли самую уютную кофейню на свете",
        "Новый рецепт уже в блоге, попробуйте и напишите, как у вас получилось",
        "Спасибо всем, кто пришёл на нашу встречу, было очень тепло и весело",
    ),
)
"""Sentences per language: Spanish, English, Portuguese, French, German, Italian, Catalan, Japanese, Arabic, Russian."""

_PLACES = _encoded(
    *"Madrid Lisboa Berlín Sevilla Porto Milano Paris 東京 Girona Cádiz Bilbao London دبي Москва".split()  # noqa: SIM905
)
_EMOJI = _encoded(*"✨ 🌊 🙏 ☀️ 😍 🥑 💪🏽 🎉 📸 ❤️ 🏔️ 👩‍🍳 🇪🇸".split())  # noqa: SIM905
_TAGS = _encoded(
    *"""moda ootd receta foodie travelgram viajes fitness running familia momlife makeup skincare interiores decor
    gaming tech libros booktok música concierto perros mascotas vegan saludable españa barcelona verano2025 reels
    photography design startup emprender yoga surf montaña ciclismo football cocina postres vino coffee 旅行 カフェ سفر
    рецепт mode rezept ricette publi ad""".split()  # noqa: SIM905
)
_JOINTS = (b". ", b"! ", b"\\n\\n", b" \\n", b"... ")


def caption(rng: random.Random, language: int, number: int) -> bytes:
    """A caption: one to eight sentences, two on the median, with emoji, up to ten tags, mentions and links."""
    pick, roll = rng.choice, rng.random()
    sentences = LANGUAGES[language]
    words = [pick(sentences), b" ", pick(_PLACES), b" %d " % (number % 9973), pick(_EMOJI)]
    for _ in range(int(1 / (roll + 0.13))):
        words += (pick(_JOINTS), pick(sentences))
    if roll < 0.4:
        words.append(b" @amiga.%d" % (number % 7919))
    if roll < 0.1:
        words.append(b" https://tienda.example/p/%d?ref=ig" % number)
    if rng.random() < 0.7:
        words.append(b"\\n\\n")
        words += [b"#" + pick(_TAGS) + b" " for _ in range(int(roll * 10))]
    return b"".join(words)


def bio(rng: random.Random, number: int) -> bytes:
    """A profile text of a few lines; of ten one has an e-mail address, one is empty."""
    roll = rng.random()
    if roll < 0.1:
        return b""
    sentences = LANGUAGES[rng.choice((0, 0, 0, 1, 1, 2, 3, 4, 5, 6))]
    contact = b"\\nhola.%d@correo.example" % number if roll < 0.2 else b"\\n@tienda.%d" % number
    return rng.choice(sentences)[:90].decode("utf-8", "ignore").encode() + b"\\n" + rng.choice(_PLACES) + contact
