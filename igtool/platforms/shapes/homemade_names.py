"""What home-made scrapers and spreadsheets call the fields of a profile and of a post, in English and Spanish.

Names are folded (``fold``): ``followersCount``, ``Followers Count`` and ``followers_count`` are one. Where a payload
has several names of a column, the first that is listed here and has a value is taken.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

_LONGEST = 60


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """``name`` in lower case, without accents, spaces, underscores and signs."""
    letters = unicodedata.normalize("NFKD", name[:_LONGEST]).lower()
    return "".join(letter for letter in letters if letter.isalnum())


def _names(columns: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {column: tuple(dict.fromkeys(map(fold, names.split()))) for column, names in columns.items()}


WHO = _names(
    {
        "platform": "platform plataforma red red_social social_network network",
        "handle": """
            username user_name handle screen_name account_name nickname nick user account owner_username owner author
            profile_name profile instagram_handle instagram_username instagram_name ig_handle ig_username instagram
            usuario nombre_usuario nombre_de_usuario usuario_instagram cuenta cuenta_instagram cuenta_de_instagram
            perfil arroba propietario autor canal channel_handle
        """,
        "profile_url": """
            profile_url profile_link instagram_url instagram_link channel_url user_url account_url
            url_perfil perfil_url url_del_perfil enlace_perfil enlace_del_perfil link_perfil url_instagram
        """,
        "user_id": "user_id userid instagram_id ig_id instagram_user_id owner_id profile_id pk channel_id id_usuario",
        "id": "id",
        "display_name": "full_name fullname display_name name owner_full_name nombre_completo nombre nombre_visible",
    }
)
"""Whose profile or post it is; a post in a table names its owner by the same."""

PROFILE = _names(
    {
        "bio": "biography bio about biografia descripcion description presentacion acerca_de",
        "category": """
            category_name business_category_name overall_category_name category category_1
            categoria nombre_categoria categoria_de_negocio
        """,
        "profile_image_url": """
            profile_pic_url_hd profile_pic_url profile_image_url profile_image profile_picture_url profile_picture
            profile_pic avatar_url avatar picture photo
            foto_perfil foto_de_perfil imagen_perfil imagen_de_perfil url_foto foto imagen
        """,
        "external_url": """
            external_url website website_url homepage web link_in_bio bio_link link url
            url_externa enlace_externo sitio_web pagina_web enlace
        """,
        "links": "bio_links links enlaces",
        "emails": """
            email emails mail public_email business_email contact_email
            correo correos correo_electronico email_contacto
        """,
        "followers_count": """
            followers_count follower_count followers followed_by num_followers number_of_followers total_followers
            subscribers_count subscriber_count subscribers fans
            seguidores num_seguidores numero_seguidores numero_de_seguidores n_seguidores total_seguidores
            cantidad_seguidores suscriptores
        """,
        "following_count": """
            following_count following follows_count follows followees_count followees num_following
            seguidos siguiendo num_seguidos numero_de_seguidos n_seguidos
        """,
        "posts_count": """
            posts_count post_count media_count num_posts number_of_posts total_posts posts videos_count
            video_count n_posts
            publicaciones num_publicaciones numero_publicaciones numero_de_publicaciones n_publicaciones
            total_publicaciones cantidad_publicaciones
        """,
        "view_count": "total_views channel_views visualizaciones_totales vistas_totales",
        "is_verified": "is_verified verified verificado verificada es_verificado es_verificada cuenta_verificada",
        "is_private": "is_private private privado privada es_privado es_privada cuenta_privada",
        "is_business": """
            is_business is_business_account is_professional_account business_account
            es_empresa cuenta_empresa cuenta_de_empresa cuenta_profesional
        """,
        "country": "country_code country codigo_pais pais",
        "posts": """
            posts latest_posts recent_posts last_posts media medias items reels videos feed
            publicaciones ultimas_publicaciones publicaciones_recientes ultimos_posts entradas
        """,
    }
)
"""A profile; ``posts`` and ``publicaciones`` are their number or a list of them."""

PROFILE_EVIDENCE = ("followers_count", "following_count", "posts_count", "bio")
"""A payload with a handle is a profile when it has one of these."""

POST = _names(
    {
        "shortcode": "shortcode short_code code codigo codigo_corto",
        "url": """
            post_url permalink url link post_link media_link
            url_publicacion url_post enlace_publicacion enlace_post enlace direccion
        """,
        "post_id": "media_id post_id id pk id_publicacion id_post",
        "video_id": "video_id id_video",
        "type": "type media_type post_type product_type typename tipo tipo_publicacion tipo_de_publicacion formato",
        "is_video": "is_video es_video",
        "title": "title titulo",
        "caption": """
            caption caption_text text post_text content message
            texto pie_de_foto pie leyenda contenido mensaje
        """,
        "description": "description descripcion",
        "published_at": """
            taken_at_timestamp taken_at timestamp published_at published date_utc datetime date created_time posted_at
            post_date upload_date created_at publish_date time
        """,
        "published_at_es": """
            fecha_publicacion fecha_de_publicacion fecha publicado publicado_en fecha_hora fecha_y_hora
        """,
        "like_count": """
            likes_count like_count likes num_likes number_of_likes n_likes total_likes
            me_gusta me_gustas num_me_gusta numero_de_likes numero_de_me_gusta cantidad_likes
        """,
        "comment_count": """
            comments_count comment_count comments num_comments number_of_comments n_comments total_comments
            comentarios num_comentarios numero_de_comentarios n_comentarios cantidad_comentarios
        """,
        "view_count": """
            views_count view_count views video_view_count video_views num_views
            vistas visualizaciones visitas num_vistas numero_de_visualizaciones
        """,
        "play_count": """
            plays_count play_count plays video_play_count num_plays
            reproducciones num_reproducciones numero_de_reproducciones
        """,
        "duration_s": "video_duration duration duration_s duration_seconds duracion duracion_s duracion_segundos",
        "media_urls": """
            display_url image_url image media_url images media_urls thumbnail_url thumbnail picture photo url
            imagen url_imagen imagenes foto fotos miniatura
        """,
        "is_declared": """
            is_paid_partnership is_sponsored sponsored paid_partnership is_ad
            patrocinado patrocinada colaboracion_pagada es_publicidad
        """,
    }
)
"""A post, in a list of them or in a record of its own."""

OBJECTS = ("data", "profile", "perfil", "user", "usuario", "account", "cuenta", "result", "resultado", "datos")
"""Under these a payload may hold the profile as an object."""

TYPES = {
    fold(word): kind
    for kind, words in {
        "post": "post image photo picture graphimage feed foto imagen fotografia publicacion 1",
        "video": "video graphvideo igtv 2",
        "reel": "reel reels clip clips",
        "carousel": "carousel carousel_container carousel_album album sidecar graphsidecar carrusel galeria 8",
        "short": "short shorts",
    }.items()
    for word in words.split()
}
"""What a type is called, as the type of a content item."""

YES = frozenset({"true", "yes", "y", "1", "si", "s", "verdadero", "x"})
NO = frozenset({"false", "no", "n", "0", "falso"})
"""Booleans as text, folded."""

FAILED = frozenset({"error", "failed", "failure", "fail", "fallo", "fallido"})
"""``status`` (or ``estado``) of an entry that could not be collected, folded."""
